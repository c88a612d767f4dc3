"""What watchers see: ordered state changes that are never lost, and progress of which the latest wins. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

import msgspec

from mediafleet_core.failures import Failure
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.media_types import MediaKind
from mediafleet_core.progress import Progress
from mediafleet_core.uploads import State, Upload

_CURSOR = re.compile(r"([0-9a-f]{1,32}):(\d{1,20})-(\d{1,20})")


class Cursor(NamedTuple):
    """A place in the event log: the ledger's epoch and a stream id, ordered within one epoch."""

    epoch: str
    milliseconds: int
    number: int

    @property
    def stream_id(self) -> str:
        """The id as Redis spells it."""
        return f"{self.milliseconds}-{self.number}"

    def encode(self) -> str:
        """Opaque text for callers."""
        return base64.urlsafe_b64encode(f"{self.epoch}:{self.stream_id}".encode()).decode()

    @classmethod
    def of(cls, epoch: str, stream_id: str) -> Cursor:
        """From a stream id as Redis spells it."""
        milliseconds, number = stream_id.split("-")
        return cls(epoch, int(milliseconds), int(number))

    @classmethod
    def decode(cls, text: str) -> Cursor | None:
        """The place behind the opaque text; None when it is no cursor at all."""
        try:
            match = _CURSOR.fullmatch(base64.urlsafe_b64decode(text.encode()).decode())
        except (binascii.Error, UnicodeError, ValueError):
            return None
        return cls(match[1], int(match[2]), int(match[3])) if match else None


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Which upload something is about; `sequence` counts its state changes from 1.

    `collection`, `batch_id` and `kind` are what a watch of many uploads chooses by.
    """

    upload_id: UploadId
    tenant: TenantId
    sequence: int
    time: datetime
    collection: str = ""
    batch_id: str = ""
    kind: MediaKind


class StateChanged(About, frozen=True, kw_only=True):
    """One state change; `previous` is None for the creation."""

    previous: State | None
    state: State
    progress: Progress
    attempt: int = 0
    max_attempts: int = 0
    next_attempt_time: datetime | None = None
    failure: Failure | None = None


class Deleted(About, frozen=True, kw_only=True):
    """The upload is gone; nothing follows."""


LogEntry = StateChanged | Deleted
"""What the event log keeps."""


class ProgressMade(About, frozen=True, kw_only=True):
    """The latest progress; `sequence` is that of the state change it follows."""

    progress: Progress


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The record as it stands, first message of a watch."""

    upload: Upload
    time: datetime


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """The stream is alive; nothing was missed up to its cursor."""

    time: datetime


class Resumed(msgspec.Struct, frozen=True, kw_only=True):
    """The watch stands and goes on behind its cursor; for the transport, and no message of its own."""

    time: datetime


WatchEvent = StateChanged | Deleted | ProgressMade | Snapshot | Heartbeat | Resumed
"""What a watcher receives."""

_Event = TypeVar("_Event", bound=WatchEvent, covariant=True)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Message(Generic[_Event]):
    """One message: its cursor (None where it is no place to resume from) and the event.

    Watchers of a process share it, so it is known by its identity: what the transport makes of it is made once.
    """

    cursor: Cursor | None
    event: _Event
