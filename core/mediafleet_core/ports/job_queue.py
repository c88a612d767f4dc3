"""Doorbells."""

from __future__ import annotations

from typing import Protocol

from mediafleet_core.media_types import MediaKind


class JobQueue(Protocol):
    """Doorbells: a message says that work of a kind may wait, and names no upload."""

    def ring(self, kind: MediaKind) -> None:
        """Wake one worker slot of this kind, which will see all that is due by now. Returns at once and raises nothing.

        Several rings may share a bell. Losing a bell is harmless: housekeeping rings while due work waits.
        """
