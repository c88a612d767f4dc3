"""Direct uploads: the client sends the parts straight to the storage; here they are signed, compared and completed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from mediafleet_core.errors import FieldViolation, MediafleetError, Reason
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.intake import crc32c as crc
from mediafleet_core.intake.comparing import NamedPart, compared
from mediafleet_core.intake.ending import Ending
from mediafleet_core.intake.sending import content_type, metadata
from mediafleet_core.intake.works import Works
from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.parts import Part, direct_part, direct_part_size
from mediafleet_core.ports import Original, SignedPut, StoredPart, UploadedPart, WriteSession
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import Checksums, State, Upload

_FENCE = 1
"""All gateways work under one fence: they can only make the same object of the same parts."""


class PlannedPart(NamedTuple):
    """A part that a client is about to send: its number from 1, size in bytes and CRC32C."""

    number: int
    size: int
    crc32c: int


class Signed(NamedTuple):
    """One PUT for each part asked for, good until `expire_time`; the size of parts, and which are durable already."""

    puts: tuple[SignedPut, ...]
    expire_time: datetime
    part_size: int
    durable: tuple[StoredPart, ...]


class DirectUploads:
    """Signs parts and makes originals of them; any gateway may go on with what another began."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self._ledger, self._store = works.ledger, works.store

    async def sign(
        self, upload_id: UploadId, tenant: TenantId, parts: Sequence[PlannedPart], expires_in: timedelta
    ) -> Signed:
        """URLs bound to size and CRC32C of their parts; the first call begins the multipart.

        Raises FIELD_INVALID, UPLOAD_NOT_FOUND, UPLOAD_EXPIRED, UPLOAD_CANCELLED, UPLOAD_TERMINAL, UPLOAD_FINISHED,
        TRANSFER_MISMATCH, DIRECT_UNAVAILABLE.
        """
        session = await self._ledger.open_direct(upload_id, tenant)
        durable: Sequence[StoredPart] = ()
        if session.multipart_id:
            durable = await self._durable(session)
        elif session.fence:
            session = await self._works.detached.run(self._begin(session.upload))
        if not session.fence:
            raise _finished(upload_id)
        _check(session, parts)
        expire_time = datetime.now(UTC) + expires_in
        multipart = session.multipart_key, session.multipart_id
        puts = []
        for part in parts:
            puts.append(
                await self._store.sign_part(
                    *multipart, part.number, size=part.size, crc32c=part.crc32c, expires_in=expires_in
                )
            )
            await asyncio.sleep(0)  # a thousand of them take a quarter of a second, which others need not wait
        return Signed(tuple(puts), expire_time, session.part_size, tuple(durable))

    async def complete(
        self,
        upload_id: UploadId,
        tenant: TenantId,
        named: Sequence[NamedPart],
        checksums: Checksums,
        *,
        limits: Limits,
    ) -> Upload:
        """Make the original of the named parts and queue the upload; repeated, it answers the upload.

        Once begun it ends even if the caller is cancelled. Raises PART_MISMATCH (the upload stays open),
        OBJECT_CHECKSUM_MISMATCH (it has FAILED), FIELD_INVALID, UPLOAD_NOT_FOUND, UPLOAD_EXPIRED, UPLOAD_CANCELLED,
        UPLOAD_TERMINAL, TRANSFER_MISMATCH.
        """
        session = await self._ledger.open_direct(upload_id, tenant)
        if not session.fence:
            return session.upload
        if not session.multipart_id:
            raise MediafleetError(Reason.PART_MISMATCH, "no part was signed yet")
        try:
            return await self._works.detached.run(self._complete(session, named, checksums, limits))
        except MediafleetError as error:
            if error.reason not in {Reason.CONCURRENT_WRITER, Reason.UPLOAD_FINISHED}:
                raise
            return await self._ledger.get(upload_id, tenant)  # another call was faster

    async def status(self, upload: Upload) -> Upload:
        """The upload, its committed size being that of the parts durable from the start on without a gap."""
        if upload.state is State.RECEIVING:
            try:
                session = await self._ledger.open_direct(upload.upload_id, upload.tenant)
                if session.multipart_id:
                    await self._durable(session)
            except MediafleetError as error:
                if error.reason in {Reason.STORAGE_UNAVAILABLE, Reason.STORAGE_DENIED, Reason.LEDGER_UNAVAILABLE}:
                    raise
            return await self._ledger.get(upload.upload_id, upload.tenant)
        return upload

    async def _begin(self, upload: Upload) -> WriteSession:
        """One multipart, however many calls begin one."""
        key = UploadKeys(upload.tenant, upload.upload_id).original(_FENCE)
        begun = await self._store.begin_multipart(key, content_type=content_type(upload), metadata=metadata(upload))
        part_size = direct_part_size(upload.size_bytes or 0, self._works.settings.direct_part_bytes)
        try:
            session = await self._ledger.attach_direct(upload.upload_id, upload.tenant, key, begun, part_size)
        except MediafleetError as error:
            if error.reason is not Reason.LEDGER_UNAVAILABLE:  # it may have been recorded all the same
                await self._store.abort_multipart(key, begun)
            raise
        if session.multipart_id != begun:
            await self._store.abort_multipart(key, begun)
        return session

    async def _durable(self, session: WriteSession) -> Sequence[StoredPart]:
        stored = await self._stored(session)
        size, whole = session.upload.size_bytes or 0, 0
        for number, part in enumerate(stored, 1):
            if (part.number, part.size) != (number, direct_part(size, session.part_size, number)):
                break
            whole += part.size
        await self._ledger.open_direct(session.upload.upload_id, session.upload.tenant, committed=whole)
        return stored

    async def _stored(self, session: WriteSession) -> Sequence[StoredPart]:
        """What the storage holds, or held when the object was made of it."""
        upload = session.upload
        try:
            return [part async for part in self._store.list_parts(session.multipart_key, session.multipart_id)]
        except MediafleetError as error:
            if error.reason is not Reason.ORIGINAL_MISSING:
                raise
            session = await self._ledger.open_direct(upload.upload_id, upload.tenant)
            if not session.fence:
                raise _finished(upload.upload_id) from error
            if session.sealed:
                return [StoredPart(part.number, part.size, part.etag, part.crc32c) for part in session.parts]
            raise await Ending(self._works, upload, session.fence, Limits()).explained(error) from error

    async def _complete(
        self, session: WriteSession, named: Sequence[NamedPart], checksums: Checksums, limits: Limits
    ) -> Upload:
        ending = Ending(self._works, session.upload, session.fence, limits)
        stored = await self._stored(session)
        parts = compared(session.upload.size_bytes or 0, session.part_size, stored, named)
        whole = 0
        for part in parts:
            whole = crc.combine(whole, part.crc32c, part.size)
        sha256 = await ending.checked(whole, checksums)
        # Before Complete, so that one whose answer was lost can be repeated by any gateway.
        await self._ledger.seal(session.upload.upload_id, session.fence, parts)
        await self._make(session, parts, ending)
        size = sum(part.size for part in parts)
        return await ending.queue(Original(session.multipart_key, size, whole, sha256))

    async def _make(self, session: WriteSession, parts: Sequence[Part], ending: Ending) -> None:
        named = [UploadedPart(part.number, part.etag, part.crc32c) for part in parts]
        try:
            stored = await self._store.complete_multipart(session.multipart_key, session.multipart_id, named)
        except MediafleetError as error:
            if error.reason is not Reason.ORIGINAL_MISSING:
                raise
            now = await self._ledger.open_direct(session.upload.upload_id, session.upload.tenant)
            if now.fence and now.parts != tuple(parts):
                text = "another call completes the upload from other parts"
                raise MediafleetError(Reason.PART_MISMATCH, text) from error
            raise await ending.explained(error) from error
        if stored.size != sum(part.size for part in parts):
            raise MediafleetError(Reason.STORED_OBJECT_CORRUPT, "the stored object has another size than its parts")


def _check(session: WriteSession, parts: Sequence[PlannedPart]) -> None:
    size = session.upload.size_bytes or 0
    violations = []
    for index, part in enumerate(parts):
        expected = direct_part(size, session.part_size, part.number)
        if part.number < 1 or expected <= 0:
            last = -(-size // session.part_size)
            violations.append(FieldViolation(f"parts[{index}].number", f"must be 1 to {last}"))
        elif part.size != expected:
            violations.append(FieldViolation(f"parts[{index}].size", f"must be {expected} for this part"))
    if violations:
        first = violations[0]
        raise MediafleetError(Reason.FIELD_INVALID, f"{first.field} {first.description}", violations=violations)


def _finished(upload_id: UploadId) -> MediafleetError:
    metadata: Mapping[str, str] = {"uploadId": upload_id}
    return MediafleetError(Reason.UPLOAD_FINISHED, "every byte of the upload is here already", metadata=metadata)
