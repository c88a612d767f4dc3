"""What mediafleet needs from the world: small async protocols. Adapters live in `ledger`, `storage` and `queue`.

Every method may raise `MediafleetError`: LEDGER_UNAVAILABLE, STORAGE_UNAVAILABLE or STORAGE_DENIED when the other side
is away or refuses, besides the reasons it names.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

from mediafleet_core.events import Cursor, LogEntry, ProgressMade
from mediafleet_core.failures import AttemptRecord, FailureCode
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.media_types import MediaKind
from mediafleet_core.parts import Part, Tail
from mediafleet_core.progress import WorkProgress
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import (
    Checksums,
    MediaInfo,
    Rendition,
    StageTiming,
    State,
    Upload,
    UploadSpec,
)
from mediafleet_core.usage import Usage

Chunks: TypeAlias = Sequence[bytes | memoryview]
"""A body in pieces that need no joining."""


# --- Object storage -------------------------------------------------------------------------------------------------


class StoredObject(NamedTuple):
    """One object in the bucket: size in bytes, and what its store keeps of type and metadata."""

    key: str
    size: int
    etag: str
    content_type: str = ""
    metadata: Mapping[str, str] = {}
    modified: datetime | None = None


class UploadedPart(NamedTuple):
    """What Complete needs of a part; S3 asks again for the checksum of each part that had one."""

    number: int
    etag: str
    crc32c: int


class StoredPart(NamedTuple):
    """A part as the store has it: size in bytes, and the CRC32C if the store tells."""

    number: int
    size: int
    etag: str
    crc32c: int | None = None


class SignedPut(NamedTuple):
    """One HTTP PUT that anyone may send: its URL, and the headers that must come with it, by name in lower case."""

    url: str
    headers: Mapping[str, str]


class UnfinishedMultipart(NamedTuple):
    """A multipart that was neither completed nor aborted, and when it was begun."""

    key: str
    multipart_id: str
    begun: datetime


class ObjectStore(Protocol):
    """Bytes by key. Every write is whole or absent; a key is never half written.

    `ProcessingError`s are not raised here; failures are `MediafleetError` with STORAGE_UNAVAILABLE (try again; also
    throttling, with `metadata["cause"] = "throttled"`), STORAGE_DENIED, or STORED_OBJECT_CORRUPT for a broken digest.
    """

    @property
    def signs_parts(self) -> bool:
        """Whether `sign_part` works here."""

    async def put(
        self, key: str, body: Chunks, *, crc32c: int, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> StoredObject:
        """Store the joined chunks under `key`, checked against their CRC32C; replaces what was there."""

    async def put_file(
        self, key: str, path: Path, *, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> StoredObject:
        """Store a file's content under `key`."""

    async def begin_multipart(
        self, key: str, *, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> str:
        """Start an object that comes in parts; returns the store's id for it."""

    async def put_part(self, key: str, multipart_id: str, number: int, body: Chunks, *, crc32c: int) -> str:
        """Store part `number` (1 to 10,000); returns its ETag. Raises ORIGINAL_MISSING when the multipart is gone."""

    async def sign_part(
        self, key: str, multipart_id: str, number: int, *, size: int, crc32c: int, expires_in: timedelta
    ) -> SignedPut:
        """What stores part `number` without credentials until it expires; the store takes these bytes and no others.

        Raises DIRECT_UNAVAILABLE where the store cannot sign.
        """

    def list_parts(self, key: str, multipart_id: str) -> AsyncIterator[StoredPart]:
        """The parts stored so far, by rising number. Raises ORIGINAL_MISSING when the multipart is gone."""

    async def complete_multipart(self, key: str, multipart_id: str, parts: Sequence[UploadedPart]) -> StoredObject:
        """Make the object of the named parts, in order of their numbers; repeated, it answers the same again.

        Raises ORIGINAL_MISSING when the multipart is gone and its object is not there, PART_MISMATCH when a part is
        not stored as named.
        """

    async def abort_multipart(self, key: str, multipart_id: str) -> None:
        """Drop the parts; quietly when the multipart is gone."""

    def list_multiparts(self, prefix: str) -> AsyncIterator[UnfinishedMultipart]:
        """Every unfinished multipart below `prefix`."""

    async def head(self, key: str) -> StoredObject | None:
        """What is stored under `key`, or None."""

    def read(self, key: str) -> AsyncGenerator[bytes, None]:
        """The content in chunks of at most 1 MiB. Raises ORIGINAL_MISSING when there is none."""

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; those that do not exist are no error."""

    def list(self, prefix: str) -> AsyncIterator[StoredObject]:
        """Every object below `prefix`, in key order."""

    async def sign_url(
        self, key: str, expires_in: timedelta, *, file_name: str, content_type: str = "", as_attachment: bool = False
    ) -> str:
        """A URL that anyone may GET (with range requests) until it expires, served under `file_name`."""

    async def check(self) -> None:
        """Raise if the bucket cannot be used, saying why; needs no right beyond objects."""

    async def close(self) -> None:
        """Release connections."""


# --- Ledger: intake -------------------------------------------------------------------------------------------------


class RequestKey(NamedTuple):
    """Idempotency: the caller's `request_id` for one method, and a digest of what was asked."""

    method: str
    request_id: str
    digest: str


class WriteSession(NamedTuple):
    """What a writer holds: the record, its fence, and what is durable already.

    `parts` are in order of offset and contiguous from 0; `tail`, if any, follows them. The writer's own parts start at
    `next_number`. `multipart_id` is "" until the first part needed one; its object key is `multipart_key`. When it is
    `sealed`, its parts are the whole file.
    """

    upload: Upload
    fence: int
    part_size: int
    next_number: int
    parts: tuple[Part, ...] = ()
    tail: Tail | None = None
    multipart_key: str = ""
    multipart_id: str = ""
    sealed: bool = False


class Original(NamedTuple):
    """A finished original: where it is, what it measures, and its content type as far as the gateway can tell."""

    key: str
    size: int
    crc32c: int
    sha256: str | None = None


# --- Ledger: work ---------------------------------------------------------------------------------------------------


class Claim(NamedTuple):
    """A job that a worker may do until its lease ends; `waited` is how long it was due before."""

    upload: Upload
    fence: int
    waited: timedelta


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
    (its bytes are not what the caller sent) and makes the failure final.
    """

    code: FailureCode
    stage: str
    detail: str
    record: AttemptRecord
    attempts: int
    backoff: timedelta
    discard_original: bool = False


# --- Ledger: housekeeping -------------------------------------------------------------------------------------------


class Sweep(NamedTuple):
    """Objects that no record names any more: everything below `prefix`, and an unfinished multipart if there is one.

    `keep` is the one key below `prefix` that a record does name. Safe to repeat; `token` names the entry in the ledger.
    """

    token: str
    prefix: str
    multipart_key: str = ""
    multipart_id: str = ""
    keep: str = ""


# --- Ledger: reading ------------------------------------------------------------------------------------------------


class UploadFilter(NamedTuple):
    """Which uploads; empty fields do not restrict. Times are half open: created at or after, and before."""

    states: frozenset[State] = frozenset()
    kinds: frozenset[MediaKind] = frozenset()
    collection: str = ""
    batch_id: str = ""
    labels: Mapping[str, str] = {}
    created_from: datetime | None = None
    created_before: datetime | None = None
    text: str = ""

    def covers(self, upload: Upload) -> bool:
        """Whether the upload is among those asked for, its state included."""
        return (
            (not self.states or upload.state in self.states)
            and (not self.kinds or upload.kind in self.kinds)
            and (not self.collection or upload.spec.collection == self.collection)
            and (not self.batch_id or upload.spec.batch_id == self.batch_id)
            and all(upload.labels.get(name) == value for name, value in self.labels.items())
            and (self.created_from is None or upload.create_time >= self.created_from)
            and (self.created_before is None or upload.create_time < self.created_before)
            and (not self.text or self.text.casefold() in upload.spec.display_name.casefold())
        )


class Page(NamedTuple):
    """One page of a listing: `next_after` continues it, "" at the end; `total` counts all that the filter covers."""

    uploads: tuple[Upload, ...]
    next_after: str
    total: int


class History(NamedTuple):
    """A record and its own state changes, oldest first, each with its place in the event log, read in one step."""

    upload: Upload
    entries: tuple[tuple[Cursor, LogEntry], ...]


class Ledger(Protocol):
    """The one place where records live and change. Every change is one atomic step, safe to repeat by its `op`.

    `op` names the step; a repeat with the same `op` answers what the first one did. It is made afresh when left out,
    which still covers a client library that sends a script twice.
    """

    async def create(
        self,
        upload_id: UploadId,
        tenant: TenantId,
        spec: UploadSpec,
        *,
        limits: Limits,
        request: RequestKey | None = None,
        expires_in: timedelta,
        op: str | None = None,
    ) -> Upload:
        """Reserve quota and write the record (RECEIVING), or return the upload that `request` made before.

        Raises QUOTA_EXCEEDED, REQUEST_ID_REUSED, BATCH_NOT_FOUND, BATCH_SEALED.
        """

    async def check_create(
        self, tenant: TenantId, spec: UploadSpec, *, limits: Limits, request: RequestKey | None = None
    ) -> Upload | None:
        """The same checks as `create`, changing nothing; returns the upload that `request` made before, if any."""

    async def get(self, upload_id: UploadId, tenant: TenantId | None = None) -> Upload:
        """The record. Raises UPLOAD_NOT_FOUND, also for another tenant's."""

    async def open_write(
        self, upload_id: UploadId, tenant: TenantId, offset: int, *, op: str | None = None
    ) -> WriteSession:
        """Take over writing with a new fence, if `offset` is at most the committed size.

        Raises UPLOAD_NOT_FOUND, UPLOAD_EXPIRED, UPLOAD_CANCELLED, UPLOAD_TERMINAL (failed), TRANSFER_MISMATCH,
        WRITE_OFFSET_AHEAD. An
        upload that is finished (QUEUED and later) is returned as a session with fence 0: nothing more may be written.
        """

    async def attach_multipart(
        self, upload_id: UploadId, fence: int, key: str, multipart_id: str, *, op: str | None = None
    ) -> None:
        """Record the multipart that the parts go to. Raises CONCURRENT_WRITER."""

    async def record_part(
        self, upload_id: UploadId, fence: int, part: Part, *, limits: Limits, last: bool = False, op: str | None = None
    ) -> int:
        """Record a durable part in sequence; returns the committed size; drops a tail that it covers.

        After the `last` one nothing may follow, whoever writes.
        With an unknown size it reserves quota for the part. Raises CONCURRENT_WRITER, UPLOAD_CANCELLED, QUOTA_EXCEEDED.
        """

    async def record_tail(
        self, upload_id: UploadId, fence: int, tail: Tail, *, limits: Limits, op: str | None = None
    ) -> int:
        """Record the tail; returns the committed size. Raises CONCURRENT_WRITER, UPLOAD_CANCELLED, QUOTA_EXCEEDED."""

    async def open_direct(self, upload_id: UploadId, tenant: TenantId, *, committed: int = 0) -> WriteSession:
        """How far a direct upload is; records `committed` if it is more than is known.

        `multipart_id` is "" until `attach_direct`, and there are no `parts` until it is `sealed`. Raises what
        `open_write` raises, and likewise answers fence 0 once the upload is finished.
        """

    async def attach_direct(
        self,
        upload_id: UploadId,
        tenant: TenantId,
        key: str,
        multipart_id: str,
        part_size: int,
        *,
        op: str | None = None,
    ) -> WriteSession:
        """Record the multipart of a direct upload, unless there is one already: the answer tells which one counts."""

    async def seal(
        self, upload_id: UploadId, fence: int, parts: Sequence[Part] | None = None, *, op: str | None = None
    ) -> None:
        """Let nothing follow the recorded parts, or `parts` in their place, whoever writes.

        Raises CONCURRENT_WRITER, UPLOAD_CANCELLED.
        """

    async def writes(self, upload_id: UploadId, fence: int) -> None:
        """Raise CONCURRENT_WRITER or the state's reason if `fence` may not write any more."""

    async def finish(
        self,
        upload_id: UploadId,
        fence: int,
        original: Original,
        *,
        limits: Limits,
        max_attempts: int,
        op: str | None = None,
    ) -> Upload:
        """RECEIVING -> QUEUED: reservation becomes usage, the upload joins its kind's pending list.

        Raises CONCURRENT_WRITER, UPLOAD_CANCELLED, QUOTA_EXCEEDED (unknown size).
        """

    async def reject(
        self, upload_id: UploadId, fence: int, code: FailureCode, detail: str, *, op: str | None = None
    ) -> Upload:
        """RECEIVING -> FAILED: the bytes are wrong. Refunds the reservation and plans a sweep."""

    async def claim(
        self, kinds: Sequence[MediaKind], worker: str, lease: timedelta, *, op: str | None = None
    ) -> Claim | None:
        """QUEUED -> PROCESSING for the next due upload of these kinds; counts the attempt and takes a lease."""

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

    async def release(self, upload_id: UploadId, fence: int, *, op: str | None = None) -> Upload | None:
        """PROCESSING -> QUEUED at once, no attempt counted; CANCELLING -> CANCELLED. None if the fence is lost."""

    async def cancel(self, upload_id: UploadId, tenant: TenantId, reason: str, *, op: str | None = None) -> Upload:
        """RECEIVING, QUEUED -> CANCELLED; PROCESSING -> CANCELLING. Quietly the record when it is one of these already.

        Raises UPLOAD_NOT_FOUND, UPLOAD_TERMINAL (SUCCEEDED, FAILED), UPLOAD_EXPIRED.
        """

    async def retry(self, upload_id: UploadId, tenant: TenantId, *, max_attempts: int, op: str | None = None) -> Upload:
        """FAILED, CANCELLED -> QUEUED in a new series. Raises UPLOAD_NOT_FOUND, UPLOAD_EXPIRED, UPLOAD_NOT_FINISHED,
        UPLOAD_TERMINAL (SUCCEEDED), ORIGINAL_MISSING."""

    async def update(
        self,
        upload_id: UploadId,
        tenant: TenantId,
        *,
        caption: str | None = None,
        labels: Mapping[str, str] | None = None,
        op: str | None = None,
    ) -> Upload:
        """Change caption or labels; None leaves them. Raises UPLOAD_NOT_FOUND."""

    async def delete(self, upload_id: UploadId, tenant: TenantId) -> Upload:
        """Remove the record, refund its usage, plan the sweep of its prefix; returns the record as it was.

        Repeated within a day it returns the same again. Raises UPLOAD_NOT_FOUND.
        """

    async def list(
        self,
        tenant: TenantId,
        which: UploadFilter,
        *,
        limit: int,
        after: str = "",
        oldest_first: bool = False,
    ) -> Page:
        """A page in order of creation, newest first unless asked otherwise; no row that stays is skipped or repeated.

        `total` is exact for at most one restriction besides time, and an upper bound otherwise.
        """

    async def usage(self, tenant: TenantId, collection: str = "") -> Usage:
        """Bytes and objects of a tenant, or of one of its collections."""

    async def lead(self, owner: str, lease: timedelta) -> bool:
        """Whether `owner` does the housekeeping for the next `lease`."""

    async def due(self) -> Mapping[MediaKind, int]:
        """How many uploads of each kind could be claimed now."""

    async def end_lost_leases(self, lease: timedelta) -> Sequence[Upload]:
        """PROCESSING -> QUEUED (or FAILED after too many), CANCELLING -> CANCELLED, for every lease that has ended.

        After an outage of the ledger or of all housekeeping, waits one full `lease` first.
        """

    async def expire(self, limit: int) -> Sequence[Upload]:
        """RECEIVING -> EXPIRED for uploads past their time; drops originals whose retry retention is over."""

    async def sweeps(self, limit: int, *, upload_id: UploadId | None = None) -> Sequence[Sweep]:
        """Sweeps that are due, or (with `upload_id`) every one of an upload."""

    async def swept(self, sweep: Sweep) -> None:
        """The sweep ran: it is due once more after the longest storage time-out, then forgotten."""

    async def strays(self, unfinished: Sequence[UnfinishedMultipart]) -> Sequence[UnfinishedMultipart]:
        """Those that no record names, because whoever began them died or never learned their ids."""

    async def manifests(self, limit: int) -> Sequence[Upload]:
        """Committed uploads whose manifest is not written yet, due for more than a few seconds."""

    async def manifest_written(self, upload: Upload) -> None:
        """The manifest of this revision stands beside the bytes."""

    async def check(self) -> None:
        """Raise LEDGER_UNAVAILABLE if the ledger does not answer."""


class EventLog(Protocol):
    """The one ordered stream of state changes, and the latest-value channel of progress."""

    async def position(self) -> Cursor:
        """The place of the newest entry."""

    async def earliest(self) -> Cursor | None:
        """The place of the oldest entry that is still kept; None when the log is empty."""

    async def history(self, upload_id: UploadId, tenant: TenantId | None = None) -> History:
        """The record with its own state changes. Raises UPLOAD_NOT_FOUND."""

    async def read(self, after: Cursor, *, limit: int) -> Sequence[tuple[Cursor, LogEntry]]:
        """Entries after a place, at once, oldest first; empty at the end."""

    def tail(self, after: Cursor) -> AsyncIterator[tuple[Cursor, LogEntry]]:
        """Entries after a place as they come, for ever; raises LEDGER_UNAVAILABLE when the connection breaks."""

    def progress(self) -> AsyncIterator[ProgressMade]:
        """Progress of every upload as it is reported, for ever; a slow reader loses older values, never the newest."""


class JobQueue(Protocol):
    """Doorbells: a message says that work of a kind may wait, and names no upload."""

    async def ring(self, kind: MediaKind) -> None:
        """Wake one worker slot of this kind. Losing a bell is harmless: housekeeping rings while due work waits."""

    async def waiting(self, kind: MediaKind) -> int:
        """Bells of this kind that no worker has taken yet."""
