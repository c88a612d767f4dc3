"""The ledger for whoever steers the fleet."""

from __future__ import annotations

from typing import Protocol

from mediafleet_core.media_types import MediaKind


class FleetLedger(Protocol):
    """Queues as a whole."""

    async def pause(self, kind: MediaKind, reason: str = "") -> None:
        """Let no work of this kind be claimed; what runs goes on. Of repeated pauses the first one's reason stands."""

    async def resume(self, kind: MediaKind) -> None:
        """Let work of this kind be claimed; ring for it then. Nothing if it is not paused."""
