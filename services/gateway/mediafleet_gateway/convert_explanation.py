"""Explanations as protocol messages."""

from __future__ import annotations

from mediafleet.v1 import fleet_pb2 as pb
from mediafleet.v1 import uploads_pb2
from mediafleet_core.events import StateChanged
from mediafleet_core.explaining import Explanation, ObjectFact, ObjectRole
from mediafleet_core.failures import AttemptRecord
from mediafleet_core.ports import Standing
from mediafleet_core.uploads import State
from mediafleet_gateway.convert import STATES, timestamp, upload_to_proto
from mediafleet_gateway.convert_batches import batch_to_proto

_ROLES = {role: pb.ObjectRole.Value(f"OBJECT_ROLE_{role}") for role in ObjectRole}
_HELD = (State.PROCESSING, State.CANCELLING)


def explanation_to_proto(explanation: Explanation, *, evidence: bool) -> pb.UploadExplanation:
    """The whole; `evidence` of failed attempts is for operators alone."""
    standing = explanation.standing
    upload = standing.upload
    return pb.UploadExplanation(
        upload=upload_to_proto(upload),
        findings=explanation.words.findings,
        next_steps=explanation.words.next_steps,
        history=[_past(change) for change in standing.changes if isinstance(change, StateChanged)],
        attempts=[_attempt(attempt, evidence=evidence) for attempt in standing.attempts],
        queue_place=_queue_place(standing) if upload.state is State.QUEUED else None,
        lease=_lease(standing) if upload.state in _HELD else None,
        batch=batch_to_proto(explanation.batch) if explanation.batch is not None else None,
        objects=map(_object, explanation.objects),
        storage_message=explanation.storage_message,
        unfinished_multiparts=explanation.multiparts,
        reserved_bytes=standing.reserved_bytes,
        as_of_time=timestamp(standing.as_of),
    )


def _past(change: StateChanged) -> pb.PastState:
    return pb.PastState(
        time=timestamp(change.time),
        previous_state=STATES[change.previous] if change.previous else uploads_pb2.UPLOAD_STATE_UNSPECIFIED,
        state=STATES[change.state],
        stage=change.progress.stage,
        attempt=change.attempt,
        series=change.progress.series,
        failure_code=change.failure.code if change.failure else "",
    )


def _attempt(attempt: AttemptRecord, *, evidence: bool) -> pb.ExplainedAttempt:
    return pb.ExplainedAttempt(
        time=timestamp(attempt.time),
        code=attempt.code,
        worker=attempt.worker,
        stage=attempt.stage,
        evidence=attempt.evidence if evidence else "",
    )


def _queue_place(standing: Standing) -> pb.QueuePlace:
    pause = standing.pause
    return pb.QueuePlace(
        queue=standing.upload.kind.lower(),
        ahead=standing.ahead,
        waiting=standing.waiting,
        due_since=timestamp(standing.due_since),
        paused=pause is not None,
        pause_reason=pause.reason if pause else "",
        tenant_running=standing.tenant_running,
        tenant_most_running=standing.tenant_most,
        workers=standing.workers,
    )


def _lease(standing: Standing) -> pb.WorkLease:
    return pb.WorkLease(worker=standing.worker, expire_time=timestamp(standing.lease_end), lost=standing.lost)


def _object(fact: ObjectFact) -> pb.ExplainedObject:
    return pb.ExplainedObject(
        key=fact.key,
        role=_ROLES[fact.role],
        size_bytes=fact.size,
        present=fact.present,
        expected_bytes=fact.expected,
    )
