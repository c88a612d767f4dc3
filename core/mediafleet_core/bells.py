"""Ringing for work that waits."""

from __future__ import annotations

from mediafleet_core.ports import JobQueue
from mediafleet_core.uploads import Upload


async def ring(queue: JobQueue, upload: Upload) -> None:
    """Ring for a queued upload; a lost bell costs a second, as housekeeping rings while work waits."""
    queue.ring(upload.kind)
