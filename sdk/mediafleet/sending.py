"""Bytes on their way to a gateway, resumed from the committed size whenever the way breaks off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import cast

import grpc

from mediafleet.errors import ConcurrentWriter, DeadlineExceeded, from_rpc_error
from mediafleet.gateways import Gateway, Gateways
from mediafleet.progress import Report
from mediafleet.sources import Source
from mediafleet.v1.uploads_pb2 import (
    Checksums,
    CreateUploadRequest,
    QueryWriteStatusRequest,
    Upload,
    UploadFileRequest,
    UploadSpec,
    WriteUploadRequest,
    WriteUploadResponse,
)

CHUNK_SIZE = 1024 * 1024
"""Bytes of one message."""

WHOLE_SIZE = CHUNK_SIZE
"""Files of up to so many bytes go in one call."""


async def send(gateways: Gateways, source: Source, spec: UploadSpec, request_id: str, report: Report) -> Upload:
    """The upload, every byte of it durable; the same `request_id` goes on with an upload that was begun before."""
    if source.size <= WHOLE_SIZE:
        content = await asyncio.to_thread(source.read, 0, source.size)
        checksums = Checksums(sha256=source.sha256())
        whole = UploadFileRequest(spec=spec, content=content, checksums=checksums, request_id=request_id)
        upload = (await gateways.call(lambda gateway: gateway.uploads.UploadFile, whole)).upload
    else:
        create = CreateUploadRequest(spec=spec, request_id=request_id)
        created = await gateways.call(lambda gateway: gateway.uploads.CreateUpload, create)
        report.heard(created.upload)
        upload = await _stream(gateways, source, created.upload, report)
    report.heard(upload)
    return upload


async def _stream(gateways: Gateways, source: Source, upload: Upload, report: Report) -> Upload:
    """Writes until the gateway has taken the finish, as long as bytes become durable."""
    patience = gateways.patience()
    offset = upload.committed_size
    broke_off = False
    while True:
        gateway = gateways.current
        try:
            return (await _Stream(source, upload.upload_id, offset, report).run(gateways, gateway)).upload
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
            broke_off = True
        query = QueryWriteStatusRequest(upload_id=upload.upload_id)
        status = await gateways.call(lambda gateway: gateway.uploads.QueryWriteStatus, query)
        if status.committed_size > offset:
            patience.renew()
        offset = status.committed_size


class _Stream:
    """One WriteUpload, from `offset` to the end of the file."""

    def __init__(self, source: Source, upload_id: str, offset: int, report: Report) -> None:
        self._source = source
        self._upload_id = upload_id
        self._offset = offset
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._moved = time.monotonic()
        self._fault: Exception | None = None

    async def run(self, gateways: Gateways, gateway: Gateway) -> WriteUploadResponse:
        """The answer; TimeoutError when the gateway takes no bytes for as long as the patience lasts."""
        call = gateway.writes.WriteUpload.future(self._messages(), metadata=gateways.metadata)
        call.add_done_callback(lambda _: self._on_loop(self._ended.set))
        try:
            while not self._ended.is_set():
                left = self._moved + gateways.timeout - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ended.wait(), left)
            if self._fault:
                raise self._fault
            if call.code() is not grpc.StatusCode.OK:
                raise cast(grpc.RpcError, call)
            return call.result()
        finally:
            call.cancel()

    def _messages(self) -> Iterator[WriteUploadRequest]:
        """Runs on a thread of gRPC; each chunk is read when the one before has left."""
        offset, finished = self._offset, False
        try:
            while not finished:
                content = self._source.read(offset, CHUNK_SIZE)
                finished = offset + len(content) >= self._source.size
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

    def _sent(self, offset: int) -> None:
        try:
            self._report.sent(offset)
        except Exception as fault:
            self._fault = fault
            self._ended.set()

    def _on_loop(self, callback: Callable[..., None], *arguments: int) -> None:
        with suppress(RuntimeError):  # the loop is closed, so nobody waits any more
            self._loop.call_soon_threadsafe(callback, *arguments)
