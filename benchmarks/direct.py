"""The gateway's CPU for 1 GiB that passes it by (DIRECT), and for 1 GiB that passes through it (STREAM).

The SDK sends a sparse file; the storage is an S3 endpoint that discards, in a process of its own. Besides the calls of
the upload itself, whatever the gateway does meanwhile counts.

    python -m benchmarks.direct
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

import grpc

from benchmarks.pairs import Pair, measure, rows
from benchmarks.servers import READY_WITHIN
from mediafleet import Client
from mediafleet_devserver.redis_server import free_port, redis_server

SIZE = 1 << 30
"""Bytes of the file."""


class Site(NamedTuple):
    """A gateway before the endpoint that discards: its address and process id; and the file to send."""

    address: str
    pid: int
    file: Path


@contextmanager
def site() -> Iterator[Site]:
    """Everything started, and ended again."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="mediafleet-bench-")))
        (folder / "redis").mkdir()
        redis = stack.enter_context(redis_server(folder / "redis"))
        file = folder / "large.bin"
        with file.open("wb") as sparse:
            sparse.truncate(SIZE)
        address, storage = (f"127.0.0.1:{free_port()}" for _ in range(2))
        settings = {
            "MEDIAFLEET_GATEWAY_ADDRESS": address,
            "MEDIAFLEET_LEDGER_URL": redis,
            "MEDIAFLEET_BROKER_URL": redis,
            "MEDIAFLEET_STORAGE": "s3",
            "R2_ENDPOINT_URL": f"http://{storage}",
            "R2_BUCKET_NAME": "bench",
            "R2_ACCESS_KEY_ID": "id",
            "R2_SECRET_ACCESS_KEY": "secret",
        }
        log = stack.enter_context((folder / "log").open("wb"))

        def start(*command: str) -> int:
            process = subprocess.Popen([sys.executable, *command], env=os.environ | settings, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            return process.pid

        start("-m", "benchmarks.discarding_s3", storage)
        pid = start("-m", "mediafleet_gateway")
        with grpc.insecure_channel(address) as channel:
            grpc.channel_ready_future(channel).result(READY_WITHIN)
        yield Site(address, pid, file)


def run(here: Site, rounds: int) -> tuple[Pair, Pair]:
    """Milliseconds of CPU that the gateway spends on one upload, and MB/s that the client sees, in both ways."""
    speeds: dict[str, list[float]] = {"direct": [], "stream": []}

    def send(client: Client, transfer: Literal["direct", "stream"]) -> float:
        before, start = _cpu_ms(here.pid), time.perf_counter()
        upload = client.upload(here.file, transfer=transfer)
        speeds[transfer].append(SIZE / 1e6 / (time.perf_counter() - start))
        spent = _cpu_ms(here.pid) - before
        assert upload.committed_size == SIZE
        client.delete(upload.upload_id)
        return spent

    with Client(here.address) as client:
        cpu = measure(
            "Gateway CPU for 1 GiB",
            "ms",
            ("DIRECT", lambda: send(client, "direct")),
            ("STREAM", lambda: send(client, "stream")),
            rounds=rounds,
        )
    told = (iter(speeds[transfer]) for transfer in ("direct", "stream"))
    direct, stream = told
    speed = measure(
        "SDK to storage, 1 GiB", "MB/s", ("DIRECT", direct.__next__), ("STREAM", stream.__next__), rounds=rounds
    )
    return cpu, speed


def _cpu_ms(pid: int) -> float:
    """CPU time of all threads, exact where /proc/PID/stat counts in ticks of 10 ms."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e6


if __name__ == "__main__":
    with site() as here:
        pairs = run(here, rounds=5)
    print(f"Measured on {platform.machine()}, Python {platform.python_version()}, {os.cpu_count()} CPUs, 5 rounds\n")
    print(*rows(list(pairs)), sep="\n")
