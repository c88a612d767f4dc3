"""The ledger while work is done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol

from mediafleet_core.failures import AttemptRecord, FailureCode
from mediafleet_core.identity import UploadId
from mediafleet_core.media_types import MediaKind
from mediafleet_core.progress import WorkProgress
from mediafleet_core.uploads import (
    Checksums,
    MediaInfo,
    Rendition,
    StageTiming,
    Upload,
)


class Claim(NamedTuple):
    """A job that a worker may do until its lease ends.

    `waited` is how long it was due before, `more` whether others of its kind are due and may be claimed.
    """

    upload: Upload
    fence: int
    waited: timedelta
    more: bool


class Verdict(StrEnum):
    """What the ledger says to a worker that renews its lease."""

    HELD = "HELD"
    CANCELLING = "CANCELLING"
    LOST = "LOST"


class Outcome(NamedTuple):
    """What a finished job commits. `kind` and `content_type` are as found in the file."""

    kind: MediaKind
    content_type: str
    checksums: Checksums
    renditions: tuple[Rendition, ...]
    media_info: MediaInfo | None
    timings: tuple[StageTiming, ...]


class AttemptFailed(NamedTuple):
    """Why an attempt failed; the ledger decides between a retry and the end.

    `backoff` is the delay before the next attempt if there is one; `discard_original` deletes and refunds the original
    (its bytes are not what the caller sent) and makes the failure final. `timings` are of this attempt.
    """

    code: FailureCode
    stage: str
    detail: str
    record: AttemptRecord
    attempts: int
    backoff: timedelta
    discard_original: bool = False
    timings: tuple[StageTiming, ...] = ()


class WorkLedger(Protocol):
    """Claims, leases and the ends of attempts."""

    async def claim(
        self, kinds: Sequence[MediaKind], worker: str, lease: timedelta, *, op: str | None = None
    ) -> Claim | None:
        """QUEUED -> PROCESSING, with a lease, for an upload of the first of `kinds` that has any for a worker.

        Of that kind the highest priority goes first; within it tenants take turns by their weights, unless they run as
        many as they may; of a tenant the upload due longest. Paused kinds are passed over.
        """

    async def renew(
        self, upload_id: UploadId, fence: int, lease: timedelta, progress: WorkProgress | None = None
    ) -> Verdict:
        """Extend the lease and, if given, set the latest progress (never lower than before)."""

    async def commit(
        self, upload_id: UploadId, fence: int, outcome: Outcome, *, op: str | None = None
    ) -> Upload | None:
        """PROCESSING -> SUCCEEDED under this fence: names the keys, adds usage; None if the fence may not commit."""

    async def fail_attempt(
        self, upload_id: UploadId, fence: int, failed: AttemptFailed, *, op: str | None = None
    ) -> Upload | None:
        """PROCESSING -> QUEUED (a retry is due later) or FAILED; CANCELLING -> CANCELLED. None if the fence is lost.

        Objects below the attempt's prefix are planned for a sweep.
        """

    async def release(
        self, upload_id: UploadId, fence: int, timings: Sequence[StageTiming] = (), *, op: str | None = None
    ) -> Upload | None:
        """PROCESSING -> QUEUED at once, no attempt counted; CANCELLING -> CANCELLED. None if the fence is lost."""

    async def lose(
        self,
        upload_id: UploadId,
        fence: int,
        timings: Sequence[StageTiming],
        backoff: timedelta,
        *,
        op: str | None = None,
    ) -> Upload | None:
        """The sandbox was lost with the job: PROCESSING -> QUEUED after `backoff`, CANCELLING -> CANCELLED. None if the
        fence is lost, too.

        After `MAX_LOST_LEASES` in a series, those of workers that stopped answering included, it is FAILED instead:
        WORKER_CRASHED if the file was in a decoder each time, else LEASE_LOST_TOO_OFTEN.
        """
