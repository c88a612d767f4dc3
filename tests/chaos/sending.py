"""How the client sends a file in two streams, of which the first ends in the middle of a part."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import grpc

from mediafleet import AsyncClient
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceStub
from tests.waiting import eventually

_CHUNK = 100_000
_SILENCE = 3
"""Seconds that one try may take, as with a gateway that is paused."""


async def send_twice(
    client: AsyncClient, targets: Sequence[str], token: str, file: Path, first: bytes, timeout: float
) -> pb.Upload:
    """Make the `first` bytes durable by a half-close; then the SDK goes on with the upload, until it is terminal."""
    request_id = str(uuid4())
    size = (await asyncio.to_thread(file.stat)).st_size
    request = pb.CreateUploadRequest(spec=pb.UploadSpec(display_name=file.name, size_bytes=size), request_id=request_id)
    metadata = (("authorization", f"Bearer {token}"),)

    async def durable() -> bool:
        for target in targets:
            async with grpc.aio.insecure_channel(target) as channel:
                stub = UploadServiceStub(channel)
                try:
                    upload = (await stub.CreateUpload(request, metadata=metadata, timeout=_SILENCE)).upload
                    query = pb.QueryWriteStatusRequest(upload_id=upload.upload_id)
                    begun = (await stub.QueryWriteStatus(query, metadata=metadata, timeout=_SILENCE)).committed_size
                    messages = _messages(upload.upload_id, first, begun)
                    answer = await stub.WriteUpload(messages, metadata=metadata, timeout=_SILENCE)
                except grpc.aio.AioRpcError:
                    continue
                if answer.committed_size == len(first):
                    return True
        return False

    await eventually(durable, timeout, "the first stream to be durable")
    return await client.upload(file, request_id=request_id, wait=True, timeout=timeout)


def _messages(upload_id: str, content: bytes, begin: int) -> Iterator[pb.WriteUploadRequest]:
    yield pb.WriteUploadRequest(upload_id=upload_id, write_offset=begin)
    for offset in range(begin, len(content), _CHUNK):
        yield pb.WriteUploadRequest(write_offset=offset, content=content[offset : offset + _CHUNK])
