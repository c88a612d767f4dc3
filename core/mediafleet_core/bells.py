"""Ringing for work that waits."""

from __future__ import annotations

import structlog

from mediafleet_core.ports import JobQueue
from mediafleet_core.uploads import Upload

_log = structlog.get_logger(__name__)


async def ring(queue: JobQueue, upload: Upload) -> None:
    """Ring for a queued upload; a lost bell costs a second, as housekeeping rings while work waits."""
    try:
        await queue.ring(upload.kind)
    except Exception:
        _log.warning("bell_lost", upload_id=upload.upload_id, kind=upload.kind, exc_info=True)
