"""A queue that remembers which bells were rung, for tests of what rings them."""

from __future__ import annotations

from mediafleet_core.media_types import MediaKind


class Bells:
    """A JobQueue that nobody listens to."""

    def __init__(self) -> None:
        self.rung: set[MediaKind] = set()

    def ring(self, kind: MediaKind) -> None:
        """Remember it."""
        self.rung.add(kind)

    async def waiting(self, kind: MediaKind) -> int:
        """None."""
        return 0
