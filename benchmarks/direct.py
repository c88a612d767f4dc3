"""The gateway's CPU for 1 GiB that passes it by (DIRECT), and for 1 GiB that passes through it (STREAM).

The SDK sends a sparse file; the storage is an S3 endpoint that discards, in a process of its own. Besides the calls of
the upload itself, whatever the gateway does meanwhile counts.

Reference: STREAM. The goal is less than 50 ms for DIRECT.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Literal, NamedTuple

import click

from benchmarks.pairs import Pair, measure, report
from benchmarks.servers import Server, bench
from mediafleet import Client
from mediafleet_devserver.redis_server import free_port

SIZE = 1 << 30
"""Bytes of the file."""


class Site(NamedTuple):
    """A gateway before the endpoint that discards, and the file to send."""

    gateway: Server
    file: Path


@contextmanager
def site() -> Iterator[Site]:
    """Everything started, and ended again."""
    with bench() as started, NamedTemporaryFile(prefix="mediafleet-bench-") as sparse:
        sparse.truncate(SIZE)
        sink = started.python("benchmarks.discarding_s3", f"127.0.0.1:{free_port()}")
        yield Site(started.gateway(sink), Path(sparse.name))


def run(here: Site, rounds: int) -> tuple[Pair, Pair]:
    """Milliseconds of CPU that the gateway spends on one upload, and MB/s that the client sees, in both ways."""
    speeds: dict[str, list[float]] = {"direct": [], "stream": []}

    def send(client: Client, transfer: Literal["direct", "stream"]) -> float:
        before, start = _cpu_ms(here.gateway.pid), time.perf_counter()
        upload = client.upload(here.file, transfer=transfer)
        speeds[transfer].append(SIZE / 1e6 / (time.perf_counter() - start))
        spent = _cpu_ms(here.gateway.pid) - before
        assert upload.committed_size == SIZE
        client.delete(upload.upload_id)
        return spent

    with Client(here.gateway.address) as client:
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


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True, help="Uploads in each way, after one that is not measured.")
def main(rounds: int) -> None:
    """Measure and print."""
    with site() as here:
        pairs = run(here, rounds)
    click.echo("\n".join(report(list(pairs), rounds)))


if __name__ == "__main__":
    main()
