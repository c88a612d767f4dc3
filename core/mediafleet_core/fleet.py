"""What is told of queues and workers. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from mediafleet_core.identity import UploadId
from mediafleet_core.media_types import MediaKind
from mediafleet_core.uploads import Upload


class Pause(NamedTuple):
    """Since when a kind of work is not handed out, and why, in the words of whoever paused it."""

    since: datetime
    reason: str


class QueueFigures(NamedTuple):
    """Uploads in the queue of one kind.

    `waiting` are due, `running` are held by workers, `delayed` wait for their next attempt, `dead` were given up and
    are kept for a retry. `oldest_age` is how long the oldest waiting one has been due.
    """

    kind: MediaKind
    waiting: int
    running: int
    delayed: int
    dead: int
    oldest_age: timedelta | None
    pause: Pause | None


class WorkerSign(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's sign of life: `worker_id` names one life of one process, `current` what it has in hand since when."""

    worker_id: str
    host: str
    version: str
    kinds: tuple[MediaKind, ...]
    slots: int
    start_time: datetime
    current: dict[UploadId, datetime] = {}


class LiveWorker(NamedTuple):
    """A worker, the time of its last sign of life, and the uploads among those it named that are still at work."""

    sign: WorkerSign
    heartbeat_time: datetime
    uploads: tuple[Upload, ...]
