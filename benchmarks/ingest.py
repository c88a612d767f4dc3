"""WriteUpload through the gateway against a bare grpc.aio server that discards the bytes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import grpc

from benchmarks.pairs import Pair, measure
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceStub

CHUNK = bytes(1 << 20)
SIZE = 256 << 20
"""Bytes of one upload."""


async def _requests(upload_id: str) -> AsyncIterator[pb.WriteUploadRequest]:
    for offset in range(0, SIZE, len(CHUNK)):
        yield pb.WriteUploadRequest(upload_id="" if offset else upload_id, write_offset=offset, content=CHUNK)
    yield pb.WriteUploadRequest(write_offset=SIZE, finish_write=True)


async def _through_gateway(address: str) -> float:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = UploadServiceStub(channel)
        spec = pb.UploadSpec(display_name="bench.bin", size_bytes=SIZE)
        upload = (await stub.CreateUpload(pb.CreateUploadRequest(spec=spec))).upload
        start = time.perf_counter()
        answer = await stub.WriteUpload(_requests(upload.upload_id))
        seconds = time.perf_counter() - start
        assert answer.upload.size_bytes == SIZE
        await stub.DeleteUpload(pb.DeleteUploadRequest(upload_id=upload.upload_id))
    return SIZE / 1e6 / seconds


async def _into_nothing(address: str) -> float:
    async with grpc.aio.insecure_channel(address) as channel:
        start = time.perf_counter()
        answer = await UploadServiceStub(channel).WriteUpload(_requests("none"))
        seconds = time.perf_counter() - start
        assert answer.committed_size == SIZE
    return SIZE / 1e6 / seconds


def run(gateway: str, bare: str, rounds: int) -> Pair:
    """MB/s of one stream of 1 MiB chunks."""
    return measure(
        "WriteUpload, 256 MiB in 1 MiB chunks",
        "MB/s",
        ("gateway, local storage", lambda: asyncio.run(_through_gateway(gateway))),
        ("bare grpc.aio sink", lambda: asyncio.run(_into_nothing(bare))),
        rounds=rounds,
    )
