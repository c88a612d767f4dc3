"""More clients than the gateway admits: whether all end well, and what the others feel of it.

Uploaders in one process and a caller of GetUpload in another share the machine with the gateway. Each uploader sends at
the rate of its line; what the gateway refuses it repeats as RetryInfo says. GetUpload is timed before and meanwhile.

Reference: GetUpload before. The goal is a p99 of three times that.
"""

from __future__ import annotations

import asyncio
import io
import json
import platform
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import click
import grpc

from benchmarks.pairs import quantile
from benchmarks.servers import Server, bench
from mediafleet import AsyncClient, MediafleetError
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceStub

MIB = 1 << 20
PAUSE = 0.02
"""Seconds between two calls of GetUpload."""
IDLE = 10.0
"""Seconds for which they are timed before the uploads begin."""


class Latency(NamedTuple):
    """GetUpload, in milliseconds."""

    calls: int
    median: float
    p99: float

    def __str__(self) -> str:
        return f"median {self.median:.1f} ms, p99 {self.p99:.1f} ms ({self.calls} calls)"


class Line(io.BytesIO):
    """A file that is read no faster than a client's line carries it; 0 is as fast as it can be."""

    def __init__(self, size: int, rate: float) -> None:
        super().__init__(bytes(size))
        self._rate = rate

    def read(self, size: int | None = -1, /) -> bytes:
        """Waits for as long as the bytes take."""
        content = super().read(size)
        if self._rate:
            time.sleep(len(content) / self._rate)
        return content


async def upload_all(address: str, clients: int, size: int, rate: float) -> Counter[str]:
    """Each client sends one file, all at once; how they ended."""

    async def one(number: int) -> str:
        async with AsyncClient(address) as client:
            try:
                await client.upload(Line(size, rate), display_name=f"{number}.bin")
            except MediafleetError as error:
                return error.reason or type(error).__name__
        return "ok"

    return Counter(await asyncio.gather(*map(one, range(clients))))


async def time_calls(address: str, until: asyncio.Event) -> Latency:
    """GetUpload, again and again until told to stop."""
    taken = []
    async with grpc.aio.insecure_channel(address) as channel:
        stub = UploadServiceStub(channel)
        spec = pb.UploadSpec(display_name="watched.bin", size_bytes=1)
        upload = (await stub.CreateUpload(pb.CreateUploadRequest(spec=spec))).upload
        request = pb.GetUploadRequest(upload_id=upload.upload_id)
        await stub.GetUpload(request)
        while not until.is_set():
            begun = time.perf_counter()
            await stub.GetUpload(request)
            taken.append((time.perf_counter() - begun) * 1000)
            await asyncio.sleep(PAUSE)
    return Latency(len(taken), statistics.median(taken), quantile(taken, 99))


async def measured(address: str, command: list[str]) -> tuple[Latency, Latency, dict[str, int], float]:
    """Idle, then while the uploaders run: their ends, and how many seconds they took."""
    quiet = asyncio.Event()
    asyncio.get_running_loop().call_later(IDLE, quiet.set)
    idle = await time_calls(address, quiet)
    over = asyncio.Event()
    begun = time.perf_counter()
    uploaders = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    calls = asyncio.create_task(time_calls(address, over))
    output, _ = await uploaders.communicate()
    seconds = time.perf_counter() - begun
    over.set()
    return idle, await calls, json.loads(output), seconds


@contextmanager
def limited(limit: int) -> Iterator[tuple[Server, Server]]:
    """A gateway that admits so many uploads at once, and another beside it."""
    tenant = {"concurrent_uploads": limit, "bytes_in_flight": 1 << 40, "tenant_bytes": 1 << 40}
    environment = {
        "MEDIAFLEET_MAX_UPLOADS": str(limit),
        "MEDIAFLEET_MAX_UPLOAD_BYTES": str(1 << 40),
        "MEDIAFLEET_TENANTS": json.dumps({"local": {**tenant, "collection_bytes": 1 << 40}}),
    }
    with bench() as processes:
        yield processes.gateway(environment=environment), processes.gateway(environment=environment)


@click.command(help=__doc__)
@click.option("--clients", default=200, show_default=True, help="How many upload at once.")
@click.option("--limit", default=50, show_default=True, help="Uploads that the gateway admits at once.")
@click.option("--size", default=8.0, show_default=True, help="MiB of each file.")
@click.option("--rate", default=1.0, show_default=True, help="MiB/s of each client's line; 0 is no limit.")
@click.option("--beside", is_flag=True, help="Time GetUpload at an idle gateway: what sharing processors costs.")
@click.option("--uploaders", default="", hidden=True, help="Only upload to this address.")
def main(clients: int, limit: int, size: float, rate: float, beside: bool, uploaders: str) -> None:
    """Print how the uploads ended, and what GetUpload took before and meanwhile."""
    if uploaders:
        click.echo(json.dumps(asyncio.run(upload_all(uploaders, clients, int(size * MIB), rate * MIB))))
        return
    with limited(limit) as (gateway, idle_one):
        timed = idle_one if beside else gateway
        sizes = [f"--{name}={value}" for name, value in (("clients", clients), ("size", size), ("rate", rate))]
        command = [sys.executable, "-m", "benchmarks.admission", *sizes, "--uploaders", gateway.address]
        idle, busy, ends, seconds = asyncio.run(measured(timed.address, command))
        peak = gateway.peak_memory() / MIB
    click.echo(f"{platform.machine()}, Python {platform.python_version()}")
    click.echo(f"{clients} clients, {limit} admitted, {size:g} MiB each at {rate:g} MiB/s: {ends}, {seconds:.1f} s")
    click.echo(f"GetUpload idle: {idle}")
    click.echo(f"GetUpload meanwhile: {busy}, p99 {busy.p99 / idle.p99:.1f}x; gateway's peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()
