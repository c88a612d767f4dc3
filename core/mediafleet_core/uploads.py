"""The upload: its states, the one table of legal transitions, its specification and its record. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from mediafleet_core.failures import Failure
from mediafleet_core.identity import BatchId, TenantId, UploadId
from mediafleet_core.media_types import MediaKind
from mediafleet_core.progress import Progress


class State(StrEnum):
    """Where an upload stands."""

    RECEIVING = "RECEIVING"
    QUEUED = "QUEUED"
    PROCESSING = "PROCESSING"
    CANCELLING = "CANCELLING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"

    @property
    def terminal(self) -> bool:
        """Whether nothing more happens by itself."""
        return self in TERMINAL


TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.EXPIRED})


class Transition(NamedTuple):
    """One legal step: from any of `sources` to `target`."""

    sources: frozenset[State]
    target: State


def _step(target: State, *sources: State) -> Transition:
    return Transition(frozenset(sources), target)


TRANSITIONS: Mapping[str, Transition] = MappingProxyType(
    {
        "finish": _step(State.QUEUED, State.RECEIVING),
        "reject": _step(State.FAILED, State.RECEIVING),
        "expire": _step(State.EXPIRED, State.RECEIVING),
        "claim": _step(State.PROCESSING, State.QUEUED),
        "commit": _step(State.SUCCEEDED, State.PROCESSING),
        "requeue": _step(State.QUEUED, State.PROCESSING),
        "fail": _step(State.FAILED, State.PROCESSING),
        "stop": _step(State.CANCELLING, State.PROCESSING),
        "cancel": _step(State.CANCELLED, State.RECEIVING, State.QUEUED, State.CANCELLING),
        "retry": _step(State.QUEUED, State.FAILED, State.CANCELLED),
    }
)
"""The one table: the ledger's scripts are built from it, and nothing else changes a state."""


class Transfer(StrEnum):
    """How the bytes come: through the gateway, straight to the object storage by signed part URLs, or from an object
    that lies there already."""

    STREAM = "STREAM"
    DIRECT = "DIRECT"
    IMPORT = "IMPORT"


class Priority(StrEnum):
    """Which work of a kind goes first, whoever its tenant; the members from first to last."""

    INTERACTIVE = "INTERACTIVE"
    NORMAL = "NORMAL"
    BULK = "BULK"


class Checksums(msgspec.Struct, frozen=True, kw_only=True):
    """CRC32C (Castagnoli) as an unsigned 32-bit number, SHA-256 as 64 lower-case hex digits; None where unknown."""

    crc32c: int | None = None
    sha256: str | None = None


class ProcessingStep(msgspec.Struct, frozen=True, kw_only=True):
    """One explicit step of processing with its options."""

    name: str
    options: dict[str, str] = {}


class Processing(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with the file: a named preset ("" = the default of its kind), or explicit steps."""

    preset: str = ""
    steps: tuple[ProcessingStep, ...] = ()


class UploadSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller said at creation; never changes (caption and labels live on the record).

    `path` is where the caller had the file, within the folder or prefix that it came from; "" where it does not say.
    """

    display_name: str
    path: str = ""
    content_type: str = ""
    size_bytes: int | None = None
    checksums: Checksums = Checksums()
    collection: str = ""
    caption: str = ""
    labels: dict[str, str] = {}
    batch_id: BatchId | None = None
    processing: Processing = Processing()
    transfer: Transfer = Transfer.STREAM
    priority: Priority = Priority.NORMAL


class Rendition(msgspec.Struct, frozen=True, kw_only=True):
    """One derived object: `key` in the bucket, pixels where it is a picture, size in bytes, SHA-256 in hex."""

    name: str
    key: str
    content_type: str
    size_bytes: int
    sha256: str
    width: int = 0
    height: int = 0


class ImageInfo(msgspec.Struct, frozen=True, kw_only=True, tag="image"):
    """A picture as found: width and height in pixels after orientation; EXIF facts where present."""

    width: int
    height: int
    format: str
    mode: str
    frames: int = 1
    orientation: int = 1
    has_alpha: bool = False
    camera_make: str = ""
    camera_model: str = ""
    taken_time: datetime | None = None
    has_location: bool = False


MediaInfo = ImageInfo
"""What was found inside the file; a tagged union that grows by one member per medium."""


class StageTiming(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage of the work took, summed over the attempts of a series: seconds of wall time, and of its sandboxed
    child, if it has one, seconds of CPU and the most bytes that were resident in any attempt."""

    stage: str
    seconds: float
    cpu_seconds: float = 0.0
    peak_memory: int = 0


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one upload as the ledger holds it.

    `revision` counts every change of the record, `sequence` its state changes (1 = created). `original_key` is "" while
    there is no durable original.
    """

    upload_id: UploadId
    tenant: TenantId
    spec: UploadSpec
    kind: MediaKind
    state: State
    progress: Progress
    content_type: str = ""
    caption: str = ""
    labels: dict[str, str] = {}
    size_bytes: int | None = None
    committed_size: int = 0
    checksums: Checksums = Checksums()
    original_key: str = ""
    attempt: int = 0
    max_attempts: int = 0
    next_attempt_time: datetime | None = None
    failure: Failure | None = None
    renditions: tuple[Rendition, ...] = ()
    media_info: MediaInfo | None = None
    timings: tuple[StageTiming, ...] = ()
    create_time: datetime
    start_time: datetime | None = None
    finish_time: datetime | None = None
    expire_time: datetime | None = None
    revision: int
    sequence: int
    fence: int = 0
    request_id: str = ""
