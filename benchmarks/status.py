"""GetUpload through the gateway against an empty handler."""

from __future__ import annotations

import asyncio
import time

import grpc

from benchmarks.pairs import Pair, measure
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceStub

CALLS = 2_000
AT_ONCE = 16


async def _calls_per_second(address: str, upload_id: str) -> float:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = UploadServiceStub(channel)
        request = pb.GetUploadRequest(upload_id=upload_id)
        await stub.GetUpload(request)

        async def caller() -> None:
            for _ in range(CALLS // AT_ONCE):
                await stub.GetUpload(request)

        start = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
        return CALLS / (time.perf_counter() - start)


async def _an_upload(address: str) -> str:
    async with grpc.aio.insecure_channel(address) as channel:
        spec = pb.UploadSpec(display_name="bench.bin", size_bytes=1)
        return (await UploadServiceStub(channel).CreateUpload(pb.CreateUploadRequest(spec=spec))).upload.upload_id


def run(gateway: str, bare: str, rounds: int) -> Pair:
    """Calls per second, 16 at a time on one connection."""
    upload_id = asyncio.run(_an_upload(gateway))
    return measure(
        "GetUpload, 16 at a time",
        "calls/s",
        ("gateway", lambda: asyncio.run(_calls_per_second(gateway, upload_id))),
        ("empty handler", lambda: asyncio.run(_calls_per_second(bare, upload_id))),
        rounds=rounds,
    )
