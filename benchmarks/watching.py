"""What a gateway's watchers cost, and how soon they hear.

Watchers in processes of their own follow uploads whose progress is written to the ledger at 1 Hz each, at random
phases. Timed is from just before the ledger is asked to write until the client has the message; clocks are of one
machine. Then the same once more, beside watchers of everything that have stopped reading.

    python -m benchmarks.watching
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import random
import signal
import statistics
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import click

from benchmarks.servers import Server, bench
from mediafleet_core.identity import TenantId
from mediafleet_core.ledger import LedgerSettings, RedisLedger, connect
from mediafleet_core.ports import Claim
from mediafleet_core.progress import WorkProgress
from tests.ledgers import SPEC, claimed, queued

LOCAL = TenantId("local")
LEASE = timedelta(hours=1)
PROCESSES = 2
"""Of watchers; the machine is theirs too."""

MAILFUL = 3.0
"""Seconds in which the mail of a watcher that has stopped reading fills every buffer on its way."""


class Clients:
    """Processes of watchers: `benchmarks.watch_clients`."""

    def __init__(self, processes: Sequence[Process], opened: int, refused: Counter[str], seconds: float) -> None:
        self.opened, self.refused, self.seconds = opened, refused, seconds
        self._processes = processes

    async def collect(self, seconds: float) -> list[float]:
        """Milliseconds from the write to the client of all progress in so many seconds."""
        await self._tell()
        await asyncio.sleep(seconds)
        await self._tell()
        return [age / 1000 for process in self._processes for age in await _line(process)]

    def stop_reading(self) -> None:
        """SIGSTOP."""
        for process in self._processes:
            process.send_signal(signal.SIGSTOP)

    async def _tell(self) -> None:
        for process in self._processes:
            assert process.stdin
            process.stdin.write(b"\n")
            await process.stdin.drain()


async def _line(process: Process) -> Any:
    assert process.stdout
    return json.loads(await process.stdout.readline())


@asynccontextmanager
async def watchers(gateway: Server, ids: Sequence[str], connections: int, processes: int) -> AsyncIterator[Clients]:
    """One for each id, opened in one burst."""
    command = [sys.executable, "-m", "benchmarks.watch_clients", gateway.address, str(connections)]
    started: list[Process] = []
    try:
        for number in range(processes):
            arguments = [*command, *ids[number::processes]]
            started.append(await asyncio.create_subprocess_exec(*arguments, stdin=PIPE, stdout=PIPE, limit=1 << 26))
        told = [await _line(process) for process in started]
        refused = sum((Counter(each["refused"]) for each in told), Counter[str]())
        yield Clients(started, sum(each["opened"] for each in told), refused, max(each["seconds"] for each in told))
    finally:
        for process in started:
            process.kill()
            await process.wait()


async def _write(ledger: RedisLedger, claim: Claim) -> None:
    """Progress at 1 Hz, each with the time of its writing."""
    await asyncio.sleep(random.random())
    due, percent = time.monotonic(), 30.0
    while True:
        percent = min(99.0, percent + 0.1)
        told = WorkProgress(percent=percent, stage="process", items_done=time.monotonic_ns() // 1000)
        await ledger.renew(claim.upload.upload_id, claim.fence, LEASE, told)
        due += 1.0
        await asyncio.sleep(max(0.0, due - time.monotonic()))


class Heard(NamedTuple):
    """Deliveries: from write to client in milliseconds, and gateway CPU for each in microseconds."""

    deliveries: int
    median: float
    p99: float
    most: float
    cpu: float


async def _listen(gateway: Server, clients: Clients, seconds: float) -> Heard:
    before = gateway.cpu()
    ages = await clients.collect(seconds)
    spent = gateway.cpu() - before
    p99 = statistics.quantiles(ages, n=100)[-1]
    return Heard(len(ages), statistics.median(ages), p99, max(ages), 1e6 * spent / len(ages))


async def measure(gateway: Server, redis_url: str, options: dict[str, Any]) -> dict[str, Any]:
    """The figures, by name."""
    count, seconds = options["watchers"], options["seconds"]
    figures: dict[str, Any] = {}
    async with AsyncExitStack() as stack:
        ledger = await connect(LedgerSettings(ledger_url=redis_url))
        stack.push_async_callback(ledger.close)
        claims = []
        for _ in range(options["uploads"]):
            await queued(ledger, SPEC, LOCAL)
            claims.append(await claimed(ledger, LEASE))
        ids = [claim.upload.upload_id for claim in claims]

        def each(total: int) -> list[str]:
            return [ids[number % len(ids)] for number in range(total)]

        async with watchers(gateway, each(100), 1, PROCESSES):
            pass  # what is loaded or allocated once for all
        empty = gateway.memory()
        connections = options["connections"] // PROCESSES
        clients = await stack.enter_async_context(watchers(gateway, each(count), connections, PROCESSES))
        figures["memory"] = (gateway.memory() - empty) / count
        writing = [asyncio.create_task(_write(ledger, claim)) for claim in claims]
        stack.callback(lambda: [task.cancel() for task in writing])
        await asyncio.sleep(2)
        figures["alone"] = (await _listen(gateway, clients, seconds))._asdict()
        async with watchers(gateway, ["*"] * options["stopped"], 1, 1) as stopped:
            stopped.stop_reading()
            await asyncio.sleep(MAILFUL)
            before = gateway.memory()
            figures["beside"] = (await _listen(gateway, clients, seconds))._asdict()
            figures["stopped_memory"] = (gateway.memory() - before) / options["stopped"]
        figures["memory_after"] = (gateway.memory() - empty) / count
    async with watchers(gateway, each(options["burst"]), 10, PROCESSES) as crowd:
        figures["burst"] = {"opened": crowd.opened, "refused": crowd.refused, "seconds": crowd.seconds}
    return figures


@click.command()
@click.option("--watchers", default=1000, show_default=True)
@click.option("--connections", default=20, show_default=True, help="On which these share their streams.")
@click.option("--uploads", default=20, show_default=True)
@click.option("--seconds", default=20.0, show_default=True, help="Of each measurement.")
@click.option("--stopped", default=50, show_default=True, help="Watchers of everything that do not read.")
@click.option("--burst", default=5000, show_default=True, help="Watches opened at once.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(as_json: bool, **options: Any) -> None:
    """Print what the watchers heard and what they cost."""
    with bench() as processes:
        gateway = processes.gateway()
        figures = asyncio.run(measure(gateway, processes.redis.address, options))
    if as_json:
        click.echo(json.dumps({"options": options, "load": os.getloadavg()[0], **figures}, indent=2))
        return
    click.echo(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name in ("alone", "beside"):
        click.echo(f"{name}: {figures[name]}")
    click.echo(str({name: figures[name] for name in figures if name not in ("alone", "beside")}))


if __name__ == "__main__":
    main()
