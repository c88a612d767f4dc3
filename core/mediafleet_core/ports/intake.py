"""The ledger while bytes come in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple, Protocol

from mediafleet_core.failures import FailureCode
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.parts import Part, Tail
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import (
    Upload,
    UploadSpec,
)


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
    """A finished original: where it is and what it measures; checksums as far as anybody knows them yet."""

    key: str
    size: int
    crc32c: int | None
    sha256: str | None = None


class IntakeLedger(Protocol):
    """Creation, writing and finishing."""

    async def create(
        self,
        upload_id: UploadId,
        tenant: TenantId,
        spec: UploadSpec,
        *,
        limits: Limits,
        request: RequestKey | None = None,
        expires_in: timedelta,
        opened: bool = False,
        op: str | None = None,
    ) -> WriteSession:
        """Reserve quota and write the record (RECEIVING), or return the upload that `request` made before.

        `opened` is for a caller that has the bytes already: writing is opened in the same step. The fence is 0 without
        it, and for an upload that `request` made before: whoever made it may be writing. Raises QUOTA_EXCEEDED,
        REQUEST_ID_REUSED, BATCH_NOT_FOUND, BATCH_SEALED.
        """

    async def check_create(
        self, tenant: TenantId, spec: UploadSpec, *, limits: Limits, request: RequestKey | None = None
    ) -> Upload | None:
        """The same checks as `create`, changing nothing; returns the upload that `request` made before, if any."""

    async def open_write(
        self, upload_id: UploadId, tenant: TenantId, offset: int, *, op: str | None = None
    ) -> WriteSession:
        """Take over writing with a new fence, if `offset` is at most the committed size.

        Raises UPLOAD_NOT_FOUND, UPLOAD_EXPIRED, UPLOAD_CANCELLED, UPLOAD_TERMINAL (failed), TRANSFER_MISMATCH,
        WRITE_OFFSET_AHEAD. An upload that is finished (QUEUED and later) is returned as a session with fence 0: nothing
        more may be written.
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

    async def hold_import(
        self,
        upload_id: UploadId,
        tenant: TenantId,
        *,
        hold: timedelta,
        fence: int = 0,
        committed: int = 0,
        op: str | None = None,
    ) -> WriteSession:
        """Take the copying of an import under a new fence, or go on with one's own `fence`, for as long as `hold`.

        The answer has fence 0 where another process holds it, and once the upload is finished. `committed` bytes are
        copied so far. Raises what `open_write` raises, and CONCURRENT_WRITER where `fence` was overtaken.
        """

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
        """RECEIVING -> QUEUED: reservation becomes usage, the upload waits for a worker.

        Claims honour the `limits` that the latest finish of the tenant gave.

        Raises CONCURRENT_WRITER, UPLOAD_CANCELLED, QUOTA_EXCEEDED (unknown size).
        """

    async def reject(
        self, upload_id: UploadId, fence: int, code: FailureCode, detail: str, *, op: str | None = None
    ) -> Upload:
        """RECEIVING -> FAILED: the bytes are wrong. Refunds the reservation and plans a sweep."""
