"""Parts under way: from a writer's full buffers to the store and, in order, into the ledger."""

from __future__ import annotations

import asyncio
import base64
from collections import deque

import msgspec

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.failures import FailureCode
from mediafleet_core.intake.cutting import PartBuffer
from mediafleet_core.intake.ending import Ending
from mediafleet_core.intake.works import Works
from mediafleet_core.media_types import declared_type
from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.parts import MAX_PART_NUMBER, PARTS_IN_FLIGHT, Part
from mediafleet_core.ports import StoredObject, UploadedPart, WriteSession
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import Upload

_MOST_METADATA = 2000
"""S3 allows 2 KiB of metadata per object."""


class PartSender:
    """Stores the parts of one writer, `PARTS_IN_FLIGHT` at once; the ledger learns of them strictly in order.

    Every awaited step may be cancelled: what the ledger knows stays true, and the rest is unnamed bytes below the
    upload's prefix. `parts` are those recorded, `committed` the durable size, `ending` is the upload's.
    """

    def __init__(self, works: Works, session: WriteSession, limits: Limits) -> None:
        self.parts = list(session.parts)
        self.committed = session.upload.committed_size
        self.ending = Ending(works, session.upload, session.fence, limits)
        self._works = works
        self._ledger, self._store = works.ledger, works.store
        self._upload, self._fence, self._limits = session.upload, session.fence, limits
        self._id = session.upload.upload_id
        self._next_number = session.next_number
        self._multipart = (session.multipart_key, session.multipart_id)
        self._under_way: deque[asyncio.Task[None]] = deque()

    @property
    def began(self) -> bool:
        """Whether the object comes in parts."""
        return bool(self._multipart[1])

    async def send(self, full: PartBuffer) -> None:
        """Start to store a part, as soon as there is room; raises what an earlier one failed with."""
        while len(self._under_way) >= PARTS_IN_FLIGHT:
            await self._oldest_recorded()
        if not self.began:
            self._multipart = await self._begin()
        previous = self._under_way[-1] if self._under_way else None
        task = asyncio.create_task(self._store_in_turn(full, self._take_number(), previous))
        task.add_done_callback(_noted)
        self._under_way.append(task)
        if self._works.budget.take(full.size):
            task.add_done_callback(lambda _: self._works.budget.give_back(full.size))
        else:
            await self.settle()

    async def reap(self) -> None:
        """Raise what a part failed with, without waiting for any."""
        while self._under_way and self._under_way[0].done():
            await self._oldest_recorded()

    async def settle(self) -> None:
        """Wait until every part is recorded."""
        while self._under_way:
            await self._oldest_recorded()

    async def drop(self) -> None:
        """Stop the parts under way; those recorded stay."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        self._under_way.clear()

    async def complete(self, last: PartBuffer) -> str:
        """Store what is left, if anything, and make the object; returns its key.

        Complete names the parts that the ledger holds, and only once none may be added: a writer that was superseded
        here, and wakes up later, can complete the object that its successor makes, and no other.
        """
        if last.size:
            await self._record(await self._store_part(last, self._take_number()), last=True)
        else:
            await self._ledger.seal(self._id, self._fence)
        size = sum(part.size for part in self.parts)
        try:
            stored = await self._make_object()
        except MediafleetError as error:
            # The multipart is gone, too, when an earlier Complete succeeded unheard, under ETags not known here.
            gone = error.reason is Reason.ORIGINAL_MISSING
            made = await self._store.head(self._multipart[0]) if gone else None
            if made is None or made.size != size:
                raise await self.ending.explained(error) from error
            stored = made
        if stored.size != size:
            raise MediafleetError(Reason.STORED_OBJECT_CORRUPT, "the stored object has another size than its parts")
        return self._multipart[0]

    async def _make_object(self) -> StoredObject:
        named = [UploadedPart(part.number, part.etag, part.crc32c) for part in self.parts]
        try:
            return await self._store.complete_multipart(*self._multipart, named)
        except MediafleetError as error:
            if error.reason is not Reason.PART_MISMATCH:
                raise
            mismatch = error
        try:
            return await self._store.complete_multipart(*self._multipart, await self._named_anew(mismatch))
        except MediafleetError as error:
            if error.reason is not Reason.PART_MISMATCH:
                raise
            text = "the storage contradicts itself about the parts of the file"
            raise MediafleetError(Reason.STORAGE_UNAVAILABLE, text, metadata={"cause": "server_error"}) from error

    async def _named_anew(self, mismatch: MediafleetError) -> list[UploadedPart]:
        """The parts under the ETags that the storage lists, for it told others when it took them.

        Their content was verified then; one that is missing or of another size is lost, and the upload has FAILED.
        """
        stored = {part.number: part async for part in self._store.list_parts(*self._multipart)}
        for part in self.parts:
            there = stored.get(part.number)
            if there is None or there.size != part.size or there.crc32c not in (None, part.crc32c):
                text = f"the storage lost part {part.number}"
                await self.ending.reject(FailureCode.STORED_OBJECT_CORRUPT, text)
                raise MediafleetError(Reason.STORED_OBJECT_CORRUPT, text, metadata={"uploadId": self._id}) from mismatch
        return [UploadedPart(part.number, stored[part.number].etag, part.crc32c) for part in self.parts]

    async def _store_in_turn(self, buffer: PartBuffer, number: int, previous: asyncio.Task[None] | None) -> None:
        part = await self._store_part(buffer, number)
        if previous is not None:
            await asyncio.wait({previous})
            previous.result()
        await self._record(part)

    async def _store_part(self, buffer: PartBuffer, number: int) -> Part:
        size, checksum = buffer.size, buffer.crc32c
        try:
            etag = await self._store.put_part(*self._multipart, number, buffer.chunks(), crc32c=checksum)
        except MediafleetError as error:
            raise await self.ending.explained(error) from error
        return Part(number=number, offset=buffer.offset, size=size, crc32c=checksum, etag=etag)

    async def _record(self, part: Part, *, last: bool = False) -> None:
        self.committed = await self._ledger.record_part(self._id, self._fence, part, limits=self._limits, last=last)
        self.parts.append(part)

    def _take_number(self) -> int:
        number = self._next_number
        if number > MAX_PART_NUMBER:
            raise MediafleetError(Reason.OBJECT_TOO_LARGE, "a file this large must declare its size before it is sent")
        self._next_number += 1
        return number

    async def _begin(self) -> tuple[str, str]:
        key = UploadKeys(self._upload.tenant, self._id).original(self._fence)
        multipart_id = await self._store.begin_multipart(
            key, content_type=content_type(self._upload), metadata=metadata(self._upload)
        )
        try:
            await self._ledger.attach_multipart(self._id, self._fence, key, multipart_id)
        except MediafleetError as error:
            if error.reason is not Reason.LEDGER_UNAVAILABLE:  # it may have been recorded all the same
                await self._store.abort_multipart(key, multipart_id)
            raise
        return key, multipart_id

    async def _oldest_recorded(self) -> None:
        # asyncio.wait leaves the part alone when this writer is cancelled; awaiting the task would cancel it too.
        await asyncio.wait({self._under_way[0]})
        self._under_way.popleft().result()


def _noted(task: asyncio.Task[None]) -> None:
    """What a part failed with is for the writer to ask; a writer that is gone needs no warning of the loop's."""
    if not task.cancelled():
        task.exception()


def content_type(upload: Upload) -> str:
    """What the caller declared."""
    return declared_type(upload.spec.content_type, upload.spec.display_name)


def metadata(upload: Upload) -> dict[str, str]:
    """The specification, for rebuilding the ledger from the bucket; without what does not fit into metadata."""
    bare = msgspec.structs.replace(upload.spec, labels={}, caption="", path="")
    for spec in (upload.spec, bare):
        text = base64.urlsafe_b64encode(msgspec.json.encode(spec)).decode()
        if len(text) <= _MOST_METADATA:
            return {"spec": text}
    return {}
