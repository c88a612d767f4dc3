"""Bytes on their way to a gateway, resumed from the committed size whenever the way breaks off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

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
    """Writes until the gateway has taken the finish; time counts from the last byte that became durable."""
    patience = gateways.patience()
    offset = upload.committed_size
    broke_off = False
    while True:
        gateway = gateways.current
        try:
            return (await _write(gateways, gateway, source, upload.upload_id, offset, report)).upload
        except grpc.aio.AioRpcError as failure:
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


async def _write(
    gateways: Gateways, gateway: Gateway, source: Source, upload_id: str, offset: int, report: Report
) -> WriteUploadResponse:
    """One stream, from `offset` to the end of the file."""
    call = gateway.uploads.WriteUpload(metadata=gateways.metadata)
    try:
        async for message in _messages(source, upload_id, offset):
            async with asyncio.timeout(gateways.timeout):
                await call.write(message)
            report.sent(message.write_offset + len(message.content))
        async with asyncio.timeout(gateways.timeout):
            await call.done_writing()
            return await call
    except asyncio.InvalidStateError:
        return await call  # the gateway had its answer ready before the last byte
    finally:
        call.cancel()


async def _messages(source: Source, upload_id: str, offset: int) -> AsyncIterator[WriteUploadRequest]:
    """The file from `offset` on, one chunk ahead of nothing: each is read when the one before has left."""
    finished = False
    while not finished:
        content = await asyncio.to_thread(source.read, offset, CHUNK_SIZE)
        finished = offset + len(content) >= source.size
        message = WriteUploadRequest(upload_id=upload_id, write_offset=offset, content=content, finish_write=finished)
        if finished:
            message.checksums.sha256 = source.sha256()
        yield message
        upload_id = ""
        offset += len(content)
