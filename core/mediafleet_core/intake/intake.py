"""From a caller's wish to a durable original that waits for a worker."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from mediafleet_core.detached import Detached
from mediafleet_core.errors import FieldViolation, MediafleetError, Reason, invalid_field
from mediafleet_core.identity import TenantId, UploadId, new_upload_id
from mediafleet_core.intake import crc32c
from mediafleet_core.intake.budget import ByteBudget
from mediafleet_core.intake.direct import DirectUploads
from mediafleet_core.intake.importing import Imports
from mediafleet_core.intake.requesting import request_key
from mediafleet_core.intake.settings import IntakeSettings
from mediafleet_core.intake.works import Works
from mediafleet_core.intake.writing import UNKNOWN, FinishedWriter, PartWriter, Writer
from mediafleet_core.media_types import declared_type, kind_of
from mediafleet_core.ports import JobQueue, Ledger, ObjectStore
from mediafleet_core.progress import Progress
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import Checksums, State, Transfer, Upload, UploadSpec

_REPEATED_CALL = 3.0
"""Seconds, or up to twice as many, that one of several equal calls is given before another writes the file again."""

_HASHED_AT_ONCE = 512 << 10
"""Bytes hashed on the event loop: they take about as long as a thread costs; more would keep other calls waiting."""

_LOOK_AGAIN = 0.05
"""Seconds between two looks at what another call does."""


class WriteStatus(NamedTuple):
    """Where to go on writing: durable bytes, the record, and when it expires unless it is finished by then."""

    committed_size: int
    upload: Upload
    expire_time: datetime | None


class Intake:
    """Creates uploads and takes their bytes."""

    def __init__(self, ledger: Ledger, store: ObjectStore, queue: JobQueue, settings: IntakeSettings) -> None:
        self._ledger = ledger
        self._settings = settings
        self._detached = Detached()
        self._store = store
        self._works = Works(ledger, store, queue, settings, ByteBudget(settings.write_buffer_bytes), self._detached)
        self.direct = DirectUploads(self._works)
        self.imports = Imports(self._works)

    async def create(
        self,
        tenant: TenantId,
        spec: UploadSpec,
        *,
        limits: Limits,
        request_id: str = "",
        validate_only: bool = False,
    ) -> Upload:
        """Check rights and quota and open an upload for bytes; `validate_only` stores nothing and answers no id.

        Raises OBJECT_TOO_LARGE, CONTENT_TYPE_NOT_ALLOWED, QUOTA_EXCEEDED, REQUEST_ID_REUSED, BATCH_NOT_FOUND,
        BATCH_SEALED, DIRECT_UNAVAILABLE, STORAGE_DISABLED.
        """
        request = request_key("CreateUpload", request_id, (spec, None))
        self._check(spec, limits)
        if validate_only:
            before = await self._ledger.check_create(tenant, spec, limits=limits, request=request)
            return before or _preview(tenant, spec)
        session = await self._ledger.create(
            new_upload_id(), tenant, spec, limits=limits, request=request, expires_in=self._settings.upload_expiry
        )
        return session.upload

    async def upload_file(
        self,
        tenant: TenantId,
        spec: UploadSpec,
        content: bytes,
        *,
        limits: Limits,
        checksums: Checksums = UNKNOWN,
        request_id: str = "",
    ) -> Upload:
        """Take a small file at once; with a `request_id` it may be repeated, and answers the same upload.

        Raises what `create` and `Writer.finish` raise. A wrong checksum is found before anything is stored.
        """
        if spec.transfer is Transfer.DIRECT:
            raise invalid_field("spec.transfer", "must be TRANSFER_STREAM where the content comes with the call")
        if len(content) > self._settings.max_file_bytes:
            text = f"at most {self._settings.max_file_bytes} bytes; use CreateUpload and WriteUpload for larger files"
            violation = FieldViolation("content", text)
            raise MediafleetError(Reason.OBJECT_TOO_LARGE, f"content: {text}", violations=[violation])
        if spec.size_bytes not in (None, len(content)):
            text = f"{len(content)} bytes were received, but the file has {spec.size_bytes}"
            raise MediafleetError(Reason.OBJECT_SIZE_MISMATCH, text)
        sha256 = await _sha256(content)
        found = Checksums(crc32c=crc32c.checksum(content), sha256=sha256.hexdigest())
        for declared in (spec.checksums, checksums):
            if declared.crc32c not in (None, found.crc32c) or declared.sha256 not in (None, found.sha256):
                text = f"the CRC32C of the received bytes is {found.crc32c:08x}, their SHA-256 {found.sha256}"
                raise MediafleetError(Reason.OBJECT_CHECKSUM_MISMATCH, text)
        request = request_key("UploadFile", request_id, (spec, found.crc32c))
        sized = msgspec.structs.replace(spec, size_bytes=len(content))
        self._check(sized, limits)
        session = await self._ledger.create(
            new_upload_id(),
            tenant,
            sized,
            limits=limits,
            request=request,
            expires_in=self._settings.upload_expiry,
            opened=True,
        )
        upload = session.upload
        writer: Writer | None = PartWriter(self._works, session, limits) if session.fence else None
        while upload.state is State.RECEIVING:
            writer = writer or await self.open(upload.upload_id, tenant, 0, limits=limits)
            try:
                return await self._write_whole(writer, content, found)
            except MediafleetError as error:
                if error.reason is not Reason.CONCURRENT_WRITER:
                    raise
            writer, upload = None, await self._awaited(upload)
        return upload

    async def _write_whole(self, writer: Writer, content: bytes, found: Checksums) -> Upload:
        try:
            step = self._settings.max_chunk_bytes
            for offset in range(0, len(content), step):
                await writer.write(offset, content[offset : offset + step])
            return await writer.finish(found)
        except BaseException:
            await writer.abandon()
            raise

    async def _awaited(self, upload: Upload) -> Upload:
        """The upload once an equal call, which took over, has ended it; or as it is when that takes too long."""
        until = time.monotonic() + random.uniform(1.0, 2.0) * _REPEATED_CALL
        while upload.state is State.RECEIVING and time.monotonic() < until:
            await asyncio.sleep(_LOOK_AGAIN)
            upload = await self._ledger.get(upload.upload_id, upload.tenant)
        return upload

    async def open(self, upload_id: UploadId, tenant: TenantId, offset: int, *, limits: Limits) -> Writer:
        """Take over the writing of an upload, to go on at `offset` bytes, which must not be ahead of what is durable.

        Raises UPLOAD_NOT_FOUND, UPLOAD_EXPIRED, UPLOAD_CANCELLED, UPLOAD_TERMINAL, TRANSFER_MISMATCH,
        WRITE_OFFSET_AHEAD.
        """
        session = await self._ledger.open_write(upload_id, tenant, offset)
        if not session.fence:
            return FinishedWriter(session.upload)
        writer = PartWriter(self._works, session, limits)
        await writer.load_tail()
        return writer

    async def status(self, upload_id: UploadId, tenant: TenantId) -> WriteStatus:
        """How much is durable; never decreases. Raises UPLOAD_NOT_FOUND."""
        upload = await self._ledger.get(upload_id, tenant)
        if upload.spec.transfer is Transfer.DIRECT:
            upload = await self.direct.status(upload)
        return WriteStatus(upload.committed_size, upload, upload.expire_time)

    async def settled(self) -> None:
        """Wait for commits that outlive their callers; for the end of the process."""
        await self._detached.settled()

    def _check(self, spec: UploadSpec, limits: Limits) -> None:
        self._store.require()
        content_type = declared_type(spec.content_type, spec.display_name)
        if spec.size_bytes is not None:
            limits.check_size(kind_of(content_type), spec.size_bytes)
        limits.check_type(content_type)
        if spec.transfer is Transfer.DIRECT:
            if not (self._settings.direct_uploads and self._store.signs_parts):
                text = "this server takes no direct uploads; use TRANSFER_STREAM and WriteUpload"
                raise MediafleetError(Reason.DIRECT_UNAVAILABLE, text)
            if not spec.size_bytes:
                raise invalid_field("spec.size_bytes", "must be declared, and more than 0, for TRANSFER_DIRECT")


async def _sha256(content: bytes) -> hashlib._Hash:
    if len(content) <= _HASHED_AT_ONCE:
        return hashlib.sha256(content)
    return await asyncio.to_thread(hashlib.sha256, content)


def _preview(tenant: TenantId, spec: UploadSpec) -> Upload:
    """What `create` would answer, without an id."""
    return Upload(
        upload_id=UploadId(""),
        tenant=tenant,
        spec=spec,
        kind=kind_of(declared_type(spec.content_type, spec.display_name)),
        state=State.RECEIVING,
        progress=Progress(bytes_total=spec.size_bytes),
        caption=spec.caption,
        labels=spec.labels,
        size_bytes=spec.size_bytes,
        create_time=datetime.now(UTC),
        revision=0,
        sequence=0,
    )
