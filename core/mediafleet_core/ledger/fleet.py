"""Steps on whole queues."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from mediafleet_core.fleet import LiveWorker, Pause, QueueFigures, WorkerSign
from mediafleet_core.ledger import records
from mediafleet_core.ledger.base import milliseconds
from mediafleet_core.ledger.reading import Reading
from mediafleet_core.media_types import MediaKind
from mediafleet_core.uploads import State


class _Paused(msgspec.Struct):
    reason: str
    time: int


class _Figures(msgspec.Struct):
    waiting: int
    running: int
    delayed: int
    dead: int
    oldest: int | None = None
    pause: _Paused | None = None


class FleetSteps(Reading):
    """Queues and workers at large; see `ports.Ledger` for what each step promises."""

    async def pause(self, kind: MediaKind, reason: str = "") -> None:
        """Let no work of this kind be claimed."""
        await self._connection.run("pause", kind=kind, reason=reason)

    async def resume(self, kind: MediaKind) -> None:
        """Let work of this kind be claimed."""
        await self._connection.call("HDEL", self._connection.key("paused"), kind)

    async def queues(self) -> tuple[Sequence[QueueFigures], datetime]:
        """Figures of every queue."""
        reply = await self._connection.run("queues", kinds=list(MediaKind))
        found = [queue_figures(kind, row) for kind, row in zip(MediaKind, reply.extra, strict=True)]
        return found, records.at(reply.detail)

    async def heartbeat(self, sign: WorkerSign, expiry: timedelta) -> None:
        """A worker is alive."""
        await self._connection.run(
            "heartbeat", id=sign.worker_id, worker=records.to_json(sign), expiry=milliseconds(expiry)
        )

    async def depart(self, worker_id: str) -> None:
        """Forget a worker."""
        await self._connection.call("DEL", self._connection.key(f"worker:{worker_id}"))
        await self._connection.call("ZREM", self._connection.key("workers"), worker_id)

    async def workers(self) -> Sequence[LiveWorker]:
        """Workers that are alive."""
        reply = await self._connection.run("workers")
        signs = [
            (msgspec.json.decode(sign, type=WorkerSign), records.at(time))
            for sign, time in records.pairs(reply.extra).items()
        ]
        found = await self._many([upload_id for sign, _ in signs for upload_id in sign.current])
        held = {upload.upload_id: upload for upload in found if upload.state in (State.PROCESSING, State.CANCELLING)}
        return [
            LiveWorker(sign, time, tuple(held[upload_id] for upload_id in sign.current if upload_id in held))
            for sign, time in sorted(signs, key=lambda each: each[0].worker_id)
        ]


def queue_figures(kind: MediaKind, told: str) -> QueueFigures:
    """From JSON as the scripts write it."""
    row = msgspec.json.decode(told, type=_Figures)
    return QueueFigures(
        kind=kind,
        waiting=row.waiting,
        running=row.running,
        delayed=row.delayed,
        dead=row.dead,
        oldest_age=None if row.oldest is None else timedelta(milliseconds=row.oldest),
        pause=Pause(records.at(row.pause.time), row.pause.reason) if row.pause else None,
    )
