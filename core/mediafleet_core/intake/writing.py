"""Writers: each takes one stream of chunks for one upload, under one fence."""

from __future__ import annotations

from typing import Protocol

import structlog

from mediafleet_core import cleanup
from mediafleet_core.errors import MediafleetError, Reason, invalid_field
from mediafleet_core.failures import FailureCode
from mediafleet_core.intake import crc32c as crc
from mediafleet_core.intake.cutting import PartBuffer, Piece, cut, joined
from mediafleet_core.intake.overlap import Overlap, Stored
from mediafleet_core.intake.sending import PartSender, content_type, metadata
from mediafleet_core.intake.works import Works
from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.parts import Tail
from mediafleet_core.ports import Original, WriteSession
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import Checksums, Upload

_log = structlog.get_logger(__name__)

UNKNOWN = Checksums()


class Writer(Protocol):
    """Takes the bytes of one upload in order. After an error only `suspend` or `abandon` may follow."""

    async def write(self, offset: int, content: bytes | memoryview, crc32c: int | None = None) -> None:
        """Take a chunk that begins at `offset` bytes of the file; what was received before is skipped.

        Raises WRITE_OFFSET_AHEAD, CHUNK_TOO_LARGE, CHUNK_CHECKSUM_MISMATCH, OBJECT_SIZE_MISMATCH, OBJECT_TOO_LARGE,
        OVERLAP_MISMATCH, each leaving the chunk aside; CONCURRENT_WRITER, UPLOAD_CANCELLED, QUOTA_EXCEEDED.
        """

    async def finish(self, checksums: Checksums = UNKNOWN, size: int | None = None) -> Upload:
        """Make the object and queue the upload; once begun it ends even if the caller is cancelled.

        `size` is the file's, if the caller names it here. Raises OBJECT_SIZE_MISMATCH (the upload stays open),
        OBJECT_CHECKSUM_MISMATCH (it has FAILED), CONCURRENT_WRITER, UPLOAD_CANCELLED, QUOTA_EXCEEDED.
        """

    async def suspend(self) -> int:
        """Make durable what was received, to be continued by another writer; returns the committed size."""

    async def abandon(self) -> None:
        """Drop what is not durable yet."""


class FinishedWriter:
    """Writes to an upload that was finished before: the bytes are ignored, the answer is the upload."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload

    async def write(self, offset: int, content: bytes | memoryview, crc32c: int | None = None) -> None:
        """Ignore the chunk."""

    async def finish(self, checksums: Checksums = UNKNOWN, size: int | None = None) -> Upload:
        """The upload."""
        return self._upload

    async def suspend(self) -> int:
        """The size of the file."""
        return self._upload.committed_size

    async def abandon(self) -> None:
        """Nothing to drop."""


class PartWriter:
    """Cuts the stream into equal parts, and fills one while others are under way.

    A file smaller than a part is one plain object.
    """

    def __init__(self, works: Works, session: WriteSession, limits: Limits) -> None:
        self._works = works
        self._upload, self._fence, self._limits = session.upload, session.fence, limits
        self._id = session.upload.upload_id
        self._keys = UploadKeys(session.upload.tenant, self._id)
        self._sender = PartSender(works, session, limits)
        self._ending = self._sender.ending
        # Parts of one file have one size, whatever the settings say by now.
        asked = works.settings.part_bytes or session.part_size
        self._part_size = session.parts[0].size if session.parts else asked
        self._tail = session.tail
        self._sealed = session.sealed
        self._received = sum(part.size for part in session.parts)
        self._filling = PartBuffer(self._received)
        self._overlap = Overlap()
        for part in session.parts:
            self._overlap.add(part.offset, Stored(part.size, part.crc32c))

    async def load_tail(self) -> None:
        """Go on from the stored tail, if there is one.

        Raises CONCURRENT_WRITER; ORIGINAL_MISSING or STORED_OBJECT_CORRUPT when the storage lost it: it has FAILED.
        """
        if self._tail is None:
            return
        try:
            async for content in self._works.store.read(self._tail.key):
                for piece in cut(self._received, content, self._part_size, self._received):
                    self._keep(piece)
        except MediafleetError as error:
            raise await self._ending.explained(error) from error
        if (self._filling.size, self._filling.crc32c) != (self._tail.size, self._tail.crc32c):
            text = "the bytes stored last are not those received"
            await self._ending.reject(FailureCode.STORED_OBJECT_CORRUPT, text)
            raise MediafleetError(Reason.STORED_OBJECT_CORRUPT, text, metadata={"uploadId": self._id})
        self._overlap.add(self._tail.offset, Stored(self._tail.size, self._tail.crc32c))

    async def write(self, offset: int, content: bytes | memoryview, crc32c: int | None = None) -> None:
        """See `Writer`."""
        await self._sender.reap()
        self._check_place(offset, len(content))
        pieces = list(cut(offset, content, self._part_size, self._received))
        if crc32c is not None and joined(pieces) != crc32c:
            raise self._error(Reason.CHUNK_CHECKSUM_MISMATCH, f"the chunk at {offset} does not match its CRC32C")
        for piece in pieces:
            if piece.offset < self._received:
                self._overlap.check(piece)
            else:
                self._keep(piece)
            if self._filling.size == self._part_size:
                full, self._filling = self._filling, PartBuffer(self._received)
                self._overlap.add(full.offset, Stored(full.size, full.crc32c))
                await self._sender.send(full)

    async def finish(self, checksums: Checksums = UNKNOWN, size: int | None = None) -> Upload:
        """See `Writer`."""
        for expected in (self._upload.size_bytes, size):
            if expected not in (None, self._received):
                text = f"{self._received} bytes were received, but the file has {expected}"
                raise self._error(Reason.OBJECT_SIZE_MISMATCH, text)
        await self._sender.settle()
        return await self._works.detached.run(self._conclude(checksums))

    async def suspend(self) -> int:
        """See `Writer`."""
        await self._sender.settle()
        before, filling = self._tail, self._filling
        if filling.size > (before.size if before and before.offset == filling.offset else 0):
            key = self._keys.tail(self._fence)
            await self._works.store.put(key, filling.chunks(), crc32c=filling.crc32c)
            self._tail = Tail(key=key, offset=filling.offset, size=filling.size, crc32c=filling.crc32c)
            try:
                self._sender.committed = await self._works.ledger.record_tail(
                    self._id, self._fence, self._tail, limits=self._limits
                )
            except MediafleetError as error:
                if error.reason is not Reason.LEDGER_UNAVAILABLE and not (before and before.key == key):
                    await self._discard(key)
                raise
            if before and before.key != key:
                await self._discard(before.key)
        return self._sender.committed

    async def abandon(self) -> None:
        """See `Writer`."""
        await self._sender.drop()

    def _keep(self, piece: Piece) -> None:
        self._filling.append(piece)
        self._received = piece.end

    def _check_place(self, offset: int, length: int) -> None:
        most, declared, end = self._works.settings.max_chunk_bytes, self._upload.size_bytes, offset + length
        if offset < 0:
            raise invalid_field("write_offset", "must not be negative")
        if length > most:
            raise self._error(Reason.CHUNK_TOO_LARGE, f"a chunk may have at most {most} bytes")
        if offset > self._received:
            text = f"the chunk begins at {offset}, but only {self._received} bytes were received"
            raise self._error(Reason.WRITE_OFFSET_AHEAD, text)
        if declared is not None and end > declared:
            text = f"the chunk ends at {end}, behind the declared end at {declared}"
            raise self._error(Reason.OBJECT_SIZE_MISMATCH, text)
        if end <= self._received:
            return
        if self._sealed:
            raise self._error(Reason.OBJECT_SIZE_MISMATCH, f"the file was finished at {self._received} bytes before")
        self._limits.check_size(self._upload.kind, end)

    def _error(self, reason: Reason, text: str) -> MediafleetError:
        return MediafleetError(reason, text, metadata={"committedSize": str(self._sender.committed)})

    # --- Finishing: runs detached from the caller ---

    async def _conclude(self, checksums: Checksums) -> Upload:
        whole = 0
        for part in self._sender.parts:
            whole = crc.combine(whole, part.crc32c, part.size)
        whole = crc.combine(whole, self._filling.crc32c, self._filling.size)
        sha256 = await self._ending.checked(whole, checksums)
        if self._sender.began:
            original = Original(await self._sender.complete(self._filling), self._received, whole, sha256)
            upload = await self._ending.queue(original)
        else:
            upload = await self._put_whole(whole, sha256)
        if self._fence > 1:
            await cleanup.sweep_upload(self._works.store, self._works.ledger, self._id)
        return upload

    async def _put_whole(self, whole: int, sha256: str | None) -> Upload:
        key = self._keys.original(self._fence)
        await self._works.store.put(
            key,
            self._filling.chunks(),
            crc32c=whole,
            content_type=content_type(self._upload),
            metadata=metadata(self._upload),
        )
        try:
            return await self._ending.queue(Original(key, self._received, whole, sha256))
        except MediafleetError as error:
            if error.reason is not Reason.LEDGER_UNAVAILABLE:
                await self._discard(key)
            raise

    async def _discard(self, key: str) -> None:
        try:
            await self._works.store.delete([key])
        except MediafleetError as error:
            _log.warning("object_left", upload_id=self._id, key=key, reason=error.reason)
