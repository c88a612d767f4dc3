"""Small files: UploadFile through the gateway, eight at a time, against boto3 straight to the storage.

Tells what each process spends on a file of 200 KB, which is what bounds them on few cores; `make bench` compares the
speeds.

Reference: boto3 to the same storage.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import click
import grpc
import uvloop

from benchmarks.boto import s3_client
from benchmarks.pairs import Pair, measure
from benchmarks.servers import Server, bench
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceStub
from mediafleet_devserver.redis_server import free_port

CONTENT = os.urandom(200_000)
FILES = 600
AT_ONCE = 8


async def _upload(address: str) -> float:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = UploadServiceStub(channel)
        request = pb.UploadFileRequest(spec=pb.UploadSpec(display_name="photo.bin"), content=CONTENT)

        async def one_after_the_other() -> None:
            for _ in range(FILES // AT_ONCE):
                await stub.UploadFile(request)

        start = time.perf_counter()
        await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
        return FILES / (time.perf_counter() - start)


class Direct:
    """boto3 as its users set it up: defaults, one client, eight threads."""

    def __init__(self, sink: Server) -> None:
        self._client = s3_client(sink, AT_ONCE)
        self._threads = ThreadPoolExecutor(AT_ONCE)

    def files_per_second(self) -> float:
        """All files once."""
        start = time.perf_counter()
        list(self._threads.map(self._put, range(FILES)))
        return FILES / (time.perf_counter() - start)

    def _put(self, number: int) -> None:
        self._client.put_object(Bucket="bench", Key=f"small/{number}", Body=CONTENT)


def through_gateway(gateway: Server) -> float:
    """Files per second."""
    return uvloop.run(_upload(gateway.address))


def run(gateway: Server, two: Server, sink: Server, rounds: int) -> list[Pair]:
    """Files per second, through one gateway process and through two."""
    reference = ("boto3.put_object to the same storage, 8 threads", Direct(sink).files_per_second)
    return [
        measure(
            "200 KB files, 8 at a time",
            "files/s",
            (name, partial(through_gateway, subject)),
            reference,
            rounds=rounds,
        )
        for name, subject in (("UploadFile", gateway), ("UploadFile, two processes", two))
    ]


def _spent(name: str, files_per_second: Callable[[], float], servers: Mapping[str, Server], rounds: int) -> str:
    """A line with the speed and each process' CPU, the client's last."""
    files_per_second()
    before = {role: server.cpu() for role, server in servers.items()}
    own = time.process_time()
    speed = statistics.median(files_per_second() for _ in range(rounds))
    seconds = {role: server.cpu() - before[role] for role, server in servers.items()}
    seconds["client"] = time.process_time() - own
    each = ", ".join(f"{role} {spent / rounds / FILES * 1e3:.2f}" for role, spent in seconds.items())
    whole = sum(seconds.values()) / rounds / FILES * 1e3
    return f"{name}: {speed:.0f} files/s; ms of CPU for each: {each}; {whole:.2f} in all"


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True, help="Rounds of 600 files each.")
def main(rounds: int) -> None:
    """Measure and print."""
    with bench() as started:
        sink = started.python("benchmarks.discarding_s3", f"127.0.0.1:{free_port()}")
        gateway = started.gateway(sink)
        direct = Direct(sink)
        ours = {"gateway": gateway, "Redis": started.redis, "storage": sink}
        click.echo(_spent("UploadFile", lambda: through_gateway(gateway), ours, rounds))
        click.echo(_spent("boto3", direct.files_per_second, {"storage": sink}, rounds))


if __name__ == "__main__":
    main()
