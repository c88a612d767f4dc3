"""The ledger for whoever steers the fleet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from mediafleet_core.fleet import LiveWorker, QueueFigures, WorkerSign
from mediafleet_core.media_types import MediaKind


class FleetLedger(Protocol):
    """Queues as a whole, and the workers."""

    async def pause(self, kind: MediaKind, reason: str = "") -> None:
        """Let no work of this kind be claimed; what runs goes on. Of repeated pauses the first one's reason stands."""

    async def resume(self, kind: MediaKind) -> None:
        """Let work of this kind be claimed; ring for it then. Nothing if it is not paused."""

    async def queues(self) -> tuple[Sequence[QueueFigures], datetime]:
        """The figures of every kind's queue, all of one moment, and that moment."""

    async def heartbeat(self, sign: WorkerSign, expiry: timedelta) -> None:
        """A worker is alive; it is forgotten after `expiry` without another sign."""

    async def depart(self, worker_id: str) -> None:
        """Forget a worker that ends."""

    async def workers(self) -> Sequence[LiveWorker]:
        """Workers that gave a sign of life lately, by rising id."""
