"""Bytes on their way to a gateway, resumed from the committed size whenever the way breaks off."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import cast

import grpc

from mediafleet.direct import send_direct
from mediafleet.errors import ConcurrentWriter, DeadlineExceeded, Internal, MediafleetError, from_rpc_error
from mediafleet.gateways import Gateway, Gateways
from mediafleet.progress import Report
from mediafleet.sources import FileSource, Source
from mediafleet.v1.uploads_pb2 import (
    Checksums,
    CreateUploadRequest,
    QueryWriteStatusRequest,
    Transfer,
    Upload,
    UploadFileRequest,
    UploadSpec,
    UploadState,
    WriteUploadRequest,
    WriteUploadResponse,
)
from mediafleet.window import Window

CHUNK_SIZE = 1024 * 1024
"""Bytes of one message."""

WHOLE_SIZE = CHUNK_SIZE
"""Files of up to so many bytes go in one call."""

DIRECT_SIZE = 64 * 1024 * 1024
"""Files above so many bytes go straight to the object storage where it can sign."""

_LOOK_AGAIN = 0.01
"""Seconds until the first look at what is durable, when nothing more may be sent; doubled from look to look."""

_LOOK_AT_LEAST = 0.1
"""Seconds; the longest between two looks."""

_HALF_CLOSE_AFTER = 5.0
"""Seconds without a look that helped, after which the gateway is made to store what it has, a part or not."""


async def send(gateways: Gateways, source: Source, spec: UploadSpec, request_id: str, report: Report) -> Upload:
    """The upload, every byte of it durable; the same `request_id` goes on with an upload that was begun before."""
    content = b""
    if source.size is None or source.size <= WHOLE_SIZE:
        await source.ready(WHOLE_SIZE + 1)
        content = await asyncio.to_thread(source.read, 0, WHOLE_SIZE + 1)
    if source.size is not None and source.size <= WHOLE_SIZE and spec.transfer != Transfer.TRANSFER_DIRECT:
        checksums = Checksums(sha256=source.sha256())
        whole = UploadFileRequest(spec=spec, content=content, checksums=checksums, request_id=request_id)
        upload = (await gateways.call(lambda gateway: gateway.uploads.UploadFile, whole)).upload
    else:
        upload = await _create(gateways, source, spec, request_id)
        report.heard(upload)
        if upload.state == UploadState.UPLOAD_STATE_RECEIVING:
            if upload.transfer == Transfer.TRANSFER_DIRECT and isinstance(source, FileSource):
                upload = await send_direct(gateways, source, upload, report)
            else:
                upload = await _stream(gateways, source, upload, report)
    report.heard(upload)
    return upload


async def _create(gateways: Gateways, source: Source, spec: UploadSpec, request_id: str) -> Upload:
    """The upload, direct where the file is worth it and the storage can sign, unless `spec` names a way."""
    request = CreateUploadRequest(spec=spec, request_id=request_id)
    direct = isinstance(source, FileSource) and source.size > DIRECT_SIZE
    if direct and spec.transfer == Transfer.TRANSFER_UNSPECIFIED:
        request.spec.transfer = Transfer.TRANSFER_DIRECT
        try:
            return (await gateways.call(lambda gateway: gateway.uploads.CreateUpload, request)).upload
        except MediafleetError as error:
            # The id may be that of an upload that was begun as a stream.
            if error.reason not in {"DIRECT_UNAVAILABLE", "REQUEST_ID_REUSED"}:
                raise
        request.spec.transfer = Transfer.TRANSFER_UNSPECIFIED
    return (await gateways.call(lambda gateway: gateway.uploads.CreateUpload, request)).upload


async def _stream(gateways: Gateways, source: Source, upload: Upload, report: Report) -> Upload:
    """Writes until the gateway has taken the finish, as long as bytes become durable."""
    patience = gateways.patience()
    offset = upload.committed_size
    source.release(offset)
    window = Window()
    broke_off = False
    error: MediafleetError
    while True:
        gateway = gateways.current
        try:
            answer = await _Stream(gateways, gateway, source, upload.upload_id, offset, window, report).run()
            if answer.upload.state != UploadState.UPLOAD_STATE_RECEIVING:
                return answer.upload
            if answer.committed_size > offset:  # ended on purpose, to make it durable
                offset = answer.committed_size
                source.release(offset)
                continue
            error = Internal("the gateway ended the stream before it was finished")
        except grpc.RpcError as failure:
            error = from_rpc_error(failure)
        except TimeoutError:
            error = DeadlineExceeded(f"the gateway took no bytes for {gateways.timeout:g} seconds")
        if isinstance(error, ConcurrentWriter) and broke_off:
            # Our own earlier stream, late on its way, took over from the new one. It can do so once.
            broke_off = False
        else:
            gateways.leave(gateway, error)
            await patience.bear(error)
            window.shut()
            broke_off = True
        query = QueryWriteStatusRequest(upload_id=upload.upload_id)
        status = await gateways.call(lambda gateway: gateway.uploads.QueryWriteStatus, query)
        if status.committed_size > offset:
            patience.renew()
        offset = status.committed_size
        source.release(offset)
        report.resumed(offset)


class _Stream:
    """One WriteUpload, from `offset` to the end of the file."""

    def __init__(
        self,
        gateways: Gateways,
        gateway: Gateway,
        source: Source,
        upload_id: str,
        offset: int,
        window: Window,
        report: Report,
    ) -> None:
        self._gateways = gateways
        self._gateway = gateway
        self._source = source
        self._upload_id = upload_id
        self._offset = offset
        self._durable = offset
        self._window = window
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._over = threading.Event()
        self._moved: float | None = time.monotonic()
        self._fault: Exception | None = None

    async def run(self) -> WriteUploadResponse:
        """The answer; TimeoutError when the gateway takes no bytes for as long as the patience lasts."""
        call = self._gateway.writes.WriteUpload.future(self._messages(), metadata=self._gateways.metadata)
        call.add_done_callback(lambda _: self._on_loop(self._ended.set))
        try:
            while not self._ended.is_set():
                # While the source is waited for, the gateway has nothing to take.
                left = (self._moved or time.monotonic()) + self._gateways.timeout - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                with suppress(TimeoutError):
                    async with asyncio.timeout(left):  # `wait_for` may lose a cancellation (Python 3.11, gh-86296)
                        await self._ended.wait()
            if self._fault:
                raise self._fault
            if call.code() is not grpc.StatusCode.OK:
                raise cast(grpc.RpcError, call)
            return call.result()
        finally:
            self._over.set()
            call.cancel()

    def _messages(self) -> Iterator[WriteUploadRequest]:
        """Runs on a thread of gRPC; each chunk is read when the one before has left."""
        offset, finished = self._offset, False
        try:
            while not finished and self._may_go_on(offset):
                self._moved = None
                content = self._source.read(offset, CHUNK_SIZE)
                self._moved = time.monotonic()
                finished = self._source.size is not None and offset + len(content) >= self._source.size
                message = WriteUploadRequest(write_offset=offset, content=content, finish_write=finished)
                if offset == self._offset:
                    message.upload_id = self._upload_id
                if finished:
                    message.checksums.sha256 = self._source.sha256()
                yield message
                offset += len(content)
                self._moved = time.monotonic()
                self._on_loop(self._sent, offset)
        except Exception as fault:
            # To end here is to half-close, which finishes nothing and keeps what was sent.
            self._fault = fault

    def _may_go_on(self, offset: int) -> bool:
        """Waits while the window is full; False if nothing becomes durable, and the stream had better end here."""
        since, pause = time.monotonic(), _LOOK_AGAIN
        while offset - self._durable >= self._window.size and not self._over.wait(pause):
            committed = asyncio.run_coroutine_threadsafe(self._committed(), self._loop).result()
            waited, pause = time.monotonic() - since, min(2 * pause, _LOOK_AT_LEAST)
            if committed > self._durable:
                self._durable, since, pause = committed, time.monotonic(), _LOOK_AGAIN
                self._source.release(committed)
                self._window.waited(waited)
            elif waited > _HALF_CLOSE_AFTER:
                return False
            else:
                self._window.stalled(waited)
        return not self._over.is_set()

    async def _committed(self) -> int:
        """What is durable; where that cannot be told, the stream itself will tell why."""
        query = QueryWriteStatusRequest(upload_id=self._upload_id)
        try:
            status = await self._gateway.uploads.QueryWriteStatus(
                query, timeout=self._gateways.timeout, metadata=self._gateways.metadata
            )
        except grpc.aio.AioRpcError:
            return self._durable
        return status.committed_size

    def _sent(self, offset: int) -> None:
        if self._over.is_set():
            return
        try:
            self._report.sent(offset)
        except Exception as fault:
            self._fault = fault
            self._ended.set()

    def _on_loop(self, callback: Callable[..., None], *arguments: int) -> None:
        with suppress(RuntimeError):  # the loop is closed, so nobody waits any more
            self._loop.call_soon_threadsafe(callback, *arguments)
