"""Steps on whole queues."""

from __future__ import annotations

from mediafleet_core.ledger.base import LedgerBase
from mediafleet_core.media_types import MediaKind


class FleetSteps(LedgerBase):
    """Queues at large; see `ports.Ledger` for what each step promises."""

    async def pause(self, kind: MediaKind, reason: str = "") -> None:
        """Let no work of this kind be claimed."""
        await self._connection.run("pause", kind=kind, reason=reason)

    async def resume(self, kind: MediaKind) -> None:
        """Let work of this kind be claimed."""
        await self._connection.call("HDEL", self._connection.key("paused"), kind)
