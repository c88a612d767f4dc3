"""WriteUpload through a gateway: bytes in, CRC32C verified, every part durable and recorded before it counts.

The storage discards (see `discarding_s3`), so that the gateway is what is measured; the client sends messages that are
put together by hand and is the same for both sides.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable

import google_crc32c
import grpc
import uvloop

from benchmarks.pairs import Pair, measure, measure_all
from benchmarks.servers import Server
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceStub

CHUNK = bytes(range(256)) * (1 << 12)
GIB = 1 << 30
SIZE = GIB
"""Bytes of one upload."""

_CONTENT = pb.WriteUploadRequest(content=CHUNK, crc32c=google_crc32c.value(CHUNK)).SerializeToString()


async def _messages(upload_id: str, size: int) -> AsyncIterator[bytes]:
    for offset in range(0, size, len(CHUNK)):
        head = pb.WriteUploadRequest(upload_id="" if offset else upload_id, write_offset=offset)
        yield head.SerializeToString() + _CONTENT
    yield pb.WriteUploadRequest(write_offset=size, finish_write=True).SerializeToString()


async def _write(channel: grpc.aio.Channel, upload_id: str, size: int) -> pb.WriteUploadResponse:
    call: grpc.aio.StreamUnaryMultiCallable[bytes, pb.WriteUploadResponse] = channel.stream_unary(
        "/mediafleet.v1.UploadService/WriteUpload", response_deserializer=pb.WriteUploadResponse.FromString
    )
    return await call(_messages(upload_id, size))


async def upload(address: str, size: int = SIZE) -> float:
    """One upload on a connection of its own; the seconds that its stream took."""
    async with grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        stub = UploadServiceStub(channel)
        spec = pb.UploadSpec(display_name="bench.bin", size_bytes=size)
        made = (await stub.CreateUpload(pb.CreateUploadRequest(spec=spec))).upload
        start = time.perf_counter()
        answer = await _write(channel, made.upload_id, size)
        seconds = time.perf_counter() - start
        assert answer.upload.size_bytes == size
        await stub.DeleteUpload(pb.DeleteUploadRequest(upload_id=made.upload_id))
    return seconds


async def _into_nothing(address: str) -> float:
    async with grpc.aio.insecure_channel(address) as channel:
        start = time.perf_counter()
        answer = await _write(channel, "none", SIZE)
        assert answer.committed_size == SIZE
        return time.perf_counter() - start


async def _at_once(address: str, count: int) -> float:
    start = time.perf_counter()
    await asyncio.gather(*(upload(address, SIZE // count) for _ in range(count)))
    return time.perf_counter() - start


def through(server: Server, work: Callable[[], float], size: int = SIZE) -> tuple[float, float]:
    """MB/s, from the seconds that `work` answers, and the server's CPU seconds per GiB."""
    before = server.cpu()
    seconds = work()
    return size / 1e6 / seconds, (server.cpu() - before) * GIB / size


def _bare(bare: Server, sink: Server) -> tuple[float, float]:
    speed, cpu = through(bare, lambda: uvloop.run(_into_nothing(bare.address)))
    command = [sys.executable, "-m", "benchmarks.bare_sender", sink.address, str(SIZE)]
    sent = subprocess.run(command, check=True, capture_output=True, text=True)
    return speed, cpu + float(sent.stdout) * GIB / SIZE


UNITS = ("MB/s", "CPU s per GiB")


def run(gateway: Server, bare: Server, sink: Server, rounds: int) -> list[Pair]:
    """One stream of 1 MiB chunks against a bare grpc.aio sink; its CPU also against that sink and a bare sender."""
    return measure_all(
        "WriteUpload, 1 GiB, S3 that discards",
        UNITS,
        ("gateway", lambda: through(gateway, lambda: uvloop.run(upload(gateway.address)))),
        ("bare grpc.aio sink (CPU: and bare sender)", lambda: _bare(bare, sink)),
        rounds=rounds,
    )


def run_local(gateway: Server, bare: Server, rounds: int) -> Pair:
    """The same on local storage, which syncs every part to disk."""
    return measure(
        "WriteUpload, 1 GiB, local storage",
        "MB/s",
        ("gateway", lambda: SIZE / 1e6 / uvloop.run(upload(gateway.address))),
        ("bare grpc.aio sink", lambda: SIZE / 1e6 / uvloop.run(_into_nothing(bare.address))),
        rounds=rounds,
    )


def run_parallel(gateway: Server, two: Server, rounds: int) -> list[Pair]:
    """Four clients at once: one gateway process against one client, and two processes against one."""
    four = ("one process, four clients", lambda: through(gateway, lambda: uvloop.run(_at_once(gateway.address, 4))))
    return [
        *measure_all(
            "WriteUpload, 4 x 256 MiB",
            UNITS,
            four,
            ("one process, one client", lambda: through(gateway, lambda: uvloop.run(upload(gateway.address)))),
            rounds=rounds,
        ),
        *measure_all(
            "WriteUpload, 4 x 256 MiB",
            UNITS,
            ("two processes, four clients", lambda: through(two, lambda: uvloop.run(_at_once(two.address, 4)))),
            four,
            rounds=rounds,
        ),
    ]
