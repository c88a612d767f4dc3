"""What queues and workers do, the switch of each queue, and why an upload is where it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from mediafleet.v1 import fleet_pb2 as pb
from mediafleet.v1.fleet_pb2_grpc import FleetServiceServicer
from mediafleet_core.explaining import Asker, Explaining
from mediafleet_core.fleet import LiveWorker, QueueFigures, WorkerSign
from mediafleet_core.media_types import MediaKind
from mediafleet_core.ports import FleetLedger, JobQueue
from mediafleet_core.uploads import Upload
from mediafleet_gateway import requests
from mediafleet_gateway.auth import Scope, caller
from mediafleet_gateway.convert import duration, timestamp
from mediafleet_gateway.convert_explanation import explanation_to_proto
from mediafleet_gateway.interceptors.around import Context
from mediafleet_gateway.validation import MAX_REASON, Fields

_log = structlog.get_logger(__name__)

_QUEUES = {kind.lower(): kind for kind in sorted(MediaKind)}


class FleetService(FleetServiceServicer):
    """Reads and steers the whole fleet, whoever's uploads it works on."""

    def __init__(self, ledger: FleetLedger, queue: JobQueue, explaining: Explaining) -> None:
        """Figures come from the ledger; `queue` is rung when one is resumed."""
        self._ledger, self._queue, self._explaining = ledger, queue, explaining

    async def GetFleet(self, request: pb.GetFleetRequest, context: Context) -> pb.GetFleetResponse:
        """Queues and workers."""
        figures, as_of = await self._ledger.queues()
        workers = await self._ledger.workers()
        return pb.GetFleetResponse(fleet=fleet_to_proto(figures, workers, as_of))

    async def PauseQueue(self, request: pb.PauseQueueRequest, context: Context) -> pb.PauseQueueResponse:
        """The queue, paused."""
        fields = Fields()
        fields.line("reason", request.reason, MAX_REASON)
        kind = _kind(fields, request.queue)
        await self._ledger.pause(kind, request.reason)
        _log.info("queue_paused", queue=request.queue, reason=request.reason, tenant=caller().tenant)
        return pb.PauseQueueResponse(queue=await self._status(kind))

    async def ResumeQueue(self, request: pb.ResumeQueueRequest, context: Context) -> pb.ResumeQueueResponse:
        """The queue, at work again."""
        kind = _kind(Fields(), request.queue)
        await self._ledger.resume(kind)
        self._queue.ring(kind)
        _log.info("queue_resumed", queue=request.queue, tenant=caller().tenant)
        return pb.ResumeQueueResponse(queue=await self._status(kind))

    async def ExplainUpload(self, request: pb.ExplainUploadRequest, context: Context) -> pb.ExplainUploadResponse:
        """All about one upload: of any tenant for administrators."""
        tenant, scopes = caller()
        asker = Asker(tenant, uploads=Scope.UPLOAD in scopes, administers=Scope.ADMIN in scopes)
        explanation = await self._explaining.explain(requests.upload_id(request.upload_id), asker)
        return pb.ExplainUploadResponse(explanation=explanation_to_proto(explanation, evidence=asker.administers))

    async def _status(self, kind: MediaKind) -> pb.QueueStatus:
        figures, _ = await self._ledger.queues()
        return next(_queue(each) for each in figures if each.kind is kind)


def fleet_to_proto(queues: Sequence[QueueFigures], workers: Sequence[LiveWorker], as_of: datetime) -> pb.Fleet:
    """Queues by rising name, workers as they come."""
    in_order = sorted(queues, key=lambda each: each.kind)
    return pb.Fleet(queues=map(_queue, in_order), workers=map(_worker, workers), as_of_time=timestamp(as_of))


def _kind(fields: Fields, name: str) -> MediaKind:
    """The kind of work in the queue. Raises FIELD_INVALID, with what `fields` found before."""
    fields.require(name in _QUEUES, "queue", f"must be one of {', '.join(_QUEUES)}")
    fields.check()
    return _QUEUES[name]


def _queue(figures: QueueFigures) -> pb.QueueStatus:
    return pb.QueueStatus(
        queue=figures.kind.lower(),
        waiting=figures.waiting,
        running=figures.running,
        delayed=figures.delayed,
        dead=figures.dead,
        oldest_age=duration(figures.oldest_age),
        paused=figures.pause is not None,
        pause_reason=figures.pause.reason if figures.pause else "",
        pause_time=timestamp(figures.pause.since) if figures.pause else None,
    )


def _worker(worker: LiveWorker) -> pb.WorkerStatus:
    sign = worker.sign
    return pb.WorkerStatus(
        worker_id=sign.worker_id,
        host=sign.host,
        version=sign.version,
        queues=sorted(kind.lower() for kind in sign.kinds),
        start_time=timestamp(sign.start_time),
        heartbeat_time=timestamp(worker.heartbeat_time),
        current_uploads=[_current(sign, upload) for upload in worker.uploads],
        slots=sign.slots,
    )


def _current(sign: WorkerSign, upload: Upload) -> pb.CurrentUpload:
    return pb.CurrentUpload(
        upload_id=upload.upload_id,
        tenant=upload.tenant,
        stage=upload.progress.stage,
        percent=upload.progress.percent,
        start_time=timestamp(sign.current[upload.upload_id]),
    )
