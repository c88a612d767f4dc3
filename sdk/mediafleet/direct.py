"""Bytes on their way straight to the object storage, in parts by URLs that a gateway signs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import google_crc32c
import urllib3

from mediafleet.errors import FailedPrecondition, MediafleetError, Unavailable
from mediafleet.gateways import Gateways
from mediafleet.progress import Report
from mediafleet.sources import FileSource
from mediafleet.v1.uploads_pb2 import (
    Checksums,
    CompleteDirectUploadRequest,
    CompletedUploadPart,
    DurablePart,
    SignedUploadPart,
    SignUploadPartsRequest,
    SignUploadPartsResponse,
    Upload,
    UploadPart,
)

AT_ONCE = 4
"""Parts under way at a time."""

SIGNED_AT_ONCE = 8
"""Parts that one call signs: read once for their checksums while those before are under way."""

MOST_REFUSALS = 3
"""Times that the storage may refuse a part, and a gateway the parts, before it is given up."""

_CHUNK = 1024 * 1024
_PIECE = 128 * 1024
"""Bytes handed to the socket at a time: each must leave within the connect time-out, on slow lines too."""

_SILENCE = urllib3.Timeout(connect=30.0, read=60.0)


async def send_direct(gateways: Gateways, source: FileSource, upload: Upload, report: Report) -> Upload:
    """The upload, every byte of it durable. Parts that are durable already are not sent again."""
    sender = _Sender(gateways, source, upload, report)
    try:
        return await sender.run()
    finally:
        sender.stop()


class _Sender:
    """One direct upload; its parts are sent on threads of its own."""

    def __init__(self, gateways: Gateways, source: FileSource, upload: Upload, report: Report) -> None:
        self._gateways, self._source, self._report = gateways, source, report
        self._id = upload.upload_id
        self._part_size = source.size
        self._done: dict[int, CompletedUploadPart] = {}
        self._sent: dict[int, int] = {}
        self._loop = asyncio.get_running_loop()
        self._http = urllib3.PoolManager(maxsize=AT_ONCE, retries=False, timeout=_SILENCE)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="mediafleet-part")
        self._stopped = False
        self._fault: asyncio.Future[None] = self._loop.create_future()

    async def run(self) -> Upload:
        """Sends what is missing, until the gateway finds every part there."""
        refusals = 0
        while True:
            try:
                known = await self._sign([])
                self._part_size = known.part_size
                # Where the storage tells no checksums, only Complete shows whether an old part is of this very file.
                trusted = [part for part in known.durable_parts if part.HasField("crc32c") or not refusals]
                await self._send_all({part.number: part for part in trusted})
                return await self._complete(sorted(self._done.values(), key=lambda part: part.number))
            except MediafleetError as error:
                if error.reason == "UPLOAD_FINISHED":  # by an earlier process, or by another one
                    return await self._complete([])
                refusals += 1
                if error.reason != "PART_MISMATCH" or refusals == MOST_REFUSALS:
                    raise

    def stop(self) -> None:
        """Ends what is under way."""
        self._stopped = True
        if not self._fault.cancel() and not self._fault.cancelled():
            self._fault.exception()  # it lost against another failure
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._http.clear()

    async def _send_all(self, durable: Mapping[int, DurablePart]) -> None:
        under_way: set[asyncio.Task[None]] = set()
        count = -(-self._source.size // self._part_size)
        try:
            for first in range(1, count + 1, SIGNED_AT_ONCE):
                numbers = range(first, min(first + SIGNED_AT_ONCE, count + 1))
                parts = [await asyncio.to_thread(self._part, number) for number in numbers]
                wanted = [part for part in parts if not self._is_there(part, durable.get(part.number))]
                signed = (await self._sign(wanted)).parts if wanted else ()
                for part, place in zip(wanted, signed, strict=True):
                    while len(under_way) >= AT_ONCE:
                        under_way = await self._some_done(under_way)
                    under_way.add(asyncio.create_task(self._send(part, place)))
            while under_way:
                under_way = await self._some_done(under_way)
        finally:
            for task in under_way:
                task.cancel()

    def _is_there(self, part: UploadPart, durable: DurablePart | None) -> bool:
        if durable is None or durable.size != part.size:
            return False
        if durable.HasField("crc32c") and durable.crc32c != part.crc32c:
            return False
        self._took(part, durable.etag)
        return True

    async def _send(self, part: UploadPart, place: SignedUploadPart) -> None:
        patience, refusals = self._gateways.patience(), 0
        while True:
            try:
                self._took(part, await self._loop.run_in_executor(self._threads, self._put, part, place))
                return
            except Unavailable as error:
                self._lost(part.number)
                await patience.bear(error)
            except FailedPrecondition:
                self._lost(part.number)
                refusals += 1
                if refusals == MOST_REFUSALS:
                    raise
            # A URL may have expired; and when the upload has ended meanwhile, the gateway says how.
            place = (await self._sign([part])).parts[0]

    def _put(self, part: UploadPart, place: SignedUploadPart) -> str:
        """Runs on a thread; returns the ETag."""
        try:
            answer = self._http.request("PUT", place.url, body=self._body(part), headers=place.headers, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            text = f"the object storage did not take part {part.number} ({type(error).__name__})"
            raise Unavailable(text, reason="STORAGE_UNAVAILABLE") from error
        if answer.status == 200:
            return answer.headers.get("ETag", "")
        code = answer.data.partition(b"<Code>")[2].partition(b"</Code>")[0].decode(errors="replace")[:64]
        text = f"the object storage answered {answer.status} {code} to part {part.number}"
        if answer.status >= 500 or answer.status in {408, 429}:
            raise Unavailable(text, reason="STORAGE_UNAVAILABLE")
        raise FailedPrecondition(text)

    def _body(self, part: UploadPart) -> Iterator[bytes]:
        sent = 0
        for content in self._content(part.number):
            for start in range(0, len(content), _PIECE):
                yield content[start : start + _PIECE]
            sent += len(content)
            if self._stopped:
                raise urllib3.exceptions.HTTPError("stopped")
            with suppress(RuntimeError):  # the loop is closed, so nobody waits any more
                self._loop.call_soon_threadsafe(self._heard, part.number, sent)

    def _part(self, number: int) -> UploadPart:
        crc32c = size = 0
        for content in self._content(number):
            crc32c = google_crc32c.extend(crc32c, content)
            size += len(content)
        return UploadPart(number=number, size=size, crc32c=crc32c)

    def _content(self, number: int) -> Iterator[bytes]:
        start = (number - 1) * self._part_size
        end = min(start + self._part_size, self._source.size)
        for offset in range(start, end, _CHUNK):
            yield self._source.read(offset, min(_CHUNK, end - offset))

    def _took(self, part: UploadPart, etag: str) -> None:
        self._done[part.number] = CompletedUploadPart(number=part.number, etag=etag, crc32c=part.crc32c)
        self._moved(part.number, part.size)

    def _heard(self, number: int, sent: int) -> None:
        if self._fault.done():
            return
        try:
            self._moved(number, sent)
        except Exception as fault:  # the callback's own
            self._fault.set_exception(fault)

    def _moved(self, number: int, sent: int) -> None:
        self._sent[number] = sent
        self._report.sent(sum(self._sent.values()))

    def _lost(self, number: int) -> None:
        self._sent[number] = 0
        self._report.resumed(sum(self._sent.values()))

    async def _sign(self, parts: Sequence[UploadPart]) -> SignUploadPartsResponse:
        request = SignUploadPartsRequest(upload_id=self._id, parts=parts)
        return await self._gateways.call(lambda gateway: gateway.uploads.SignUploadParts, request)

    async def _complete(self, parts: Sequence[CompletedUploadPart]) -> Upload:
        checksums = Checksums(sha256=self._source.sha256()) if parts else None
        request = CompleteDirectUploadRequest(upload_id=self._id, parts=parts, checksums=checksums)
        return (await self._gateways.call(lambda gateway: gateway.uploads.CompleteDirectUpload, request)).upload

    async def _some_done(self, tasks: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
        """Those still under way, once one is done; raises what it failed with."""
        done, _ = await asyncio.wait({*tasks, self._fault}, return_when=asyncio.FIRST_COMPLETED)
        for ended in done:
            ended.result()
        return tasks - done
