"""What a gateway's watchers cost, and how soon they hear.

Watchers in processes of their own follow uploads whose progress is written to the ledger at 1 Hz each, at random
phases. Timed is from just before the ledger is asked to write until the client has the message; clocks are of one
machine.

Reference: the same beside watchers of everything that have stopped reading. The goals are a p99 of 20 ms, 100 us of the
gateway's CPU for each delivery and 30 KiB for each watcher.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import random
import statistics
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, NamedTuple

import click

from benchmarks.pairs import quantile
from benchmarks.servers import Server, bench
from benchmarks.watch_clients import EVERYTHING
from benchmarks.watcher_processes import Clients, watchers
from mediafleet_core.identity import TenantId
from mediafleet_core.ledger import LedgerSettings, RedisLedger, connect
from mediafleet_core.ports import Claim
from mediafleet_core.progress import WorkProgress
from tests.ledgers import SPEC, claimed, queued

LOCAL = TenantId("local")
LEASE = timedelta(hours=1)
PROCESSES = 2
"""Of watchers; the machine is theirs too."""

SETTLING = 3.0
"""Seconds in which all uploads have begun, and the mail of who has stopped reading fills the buffers on its way."""


class Size(NamedTuple):
    """Of a run, as the command line says."""

    watchers: int
    connections: int
    uploads: int
    seconds: float
    stopped: int
    burst: int


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


class Figures(NamedTuple):
    """Of one run; memory is the growth of what is resident, in bytes for each watcher."""

    memory: float
    alone: Heard
    beside: Heard
    stopped_memory: float
    asked: int
    opened: int
    refused: dict[str, int]
    seconds: float


async def _listen(gateway: Server, clients: Clients, seconds: float) -> Heard:
    before = gateway.cpu()
    ages = await clients.collect(seconds)
    spent = gateway.cpu() - before
    return Heard(len(ages), statistics.median(ages), quantile(ages, 99), max(ages), 1e6 * spent / len(ages))


async def _claims(ledger: RedisLedger, uploads: int) -> list[Claim]:
    """Uploads that run."""
    claims = []
    for _ in range(uploads):
        await queued(ledger, SPEC, LOCAL)
        claims.append(await claimed(ledger, LEASE))
    return claims


async def measure(gateway: Server, redis_url: str, size: Size) -> Figures:
    """One run."""
    async with AsyncExitStack() as stack:
        ledger = await connect(LedgerSettings(ledger_url=redis_url))
        stack.push_async_callback(ledger.close)
        claims = await _claims(ledger, size.uploads)

        def each(total: int) -> list[str]:
            return [claims[number % len(claims)].upload.upload_id for number in range(total)]

        async with watchers(gateway, each(100), 1, PROCESSES):
            pass  # what is loaded or allocated once for all
        empty = gateway.memory()
        opening = watchers(gateway, each(size.watchers), size.connections // PROCESSES, PROCESSES)
        async with opening as clients, asyncio.TaskGroup() as writing:
            memory = (gateway.memory() - empty) / size.watchers
            tasks = [writing.create_task(_write(ledger, claim)) for claim in claims]
            await asyncio.sleep(SETTLING)
            alone = await _listen(gateway, clients, size.seconds)
            async with watchers(gateway, [EVERYTHING] * size.stopped, 1, 1) as stopped:
                stopped.stop_reading()
                await asyncio.sleep(SETTLING)
                before = gateway.memory()
                beside = await _listen(gateway, clients, size.seconds)
                stopped_memory = (gateway.memory() - before) / size.stopped
            for task in tasks:
                task.cancel()
    async with watchers(gateway, each(size.burst), 10, PROCESSES) as crowd:
        return Figures(
            memory, alone, beside, stopped_memory, size.burst, crowd.opened, dict(crowd.refused), crowd.seconds
        )


def rows(size: Size, went: Figures) -> Iterator[str]:
    """A table."""
    yield "| what | figure | goal |"
    yield "|---|---|---|"
    for name, heard in (("", went.alone), (f", beside {size.stopped} that do not read", went.beside)):
        yield (
            f"| {size.watchers} watchers, {size.uploads} uploads at 1 Hz{name}: from write to client | median "
            f"{heard.median:.1f} ms, p99 {heard.p99:.1f} ms, most {heard.most:.1f} ms | p99 20 ms |"
        )
        yield f"| gateway CPU for each of {heard.deliveries} deliveries{name} | {heard.cpu:.0f} us | 100 us |"
    yield f"| memory for each watcher | {went.memory / 1024:.1f} KiB | 30 KiB |"
    yield f"| growth for each that does not read, in {size.seconds:g} s | {went.stopped_memory / 1024:.1f} KiB | 0 |"
    yield (
        f"| {went.asked} opened in a burst | {went.opened} had their snapshot after {went.seconds:.1f} s, "
        f"refused: {went.refused or 'none'} | none refused |"
    )


@click.command(help=__doc__)
@click.option("--watchers", default=1000, show_default=True, help="Of one upload each.")
@click.option("--connections", default=20, show_default=True, help="On which these share their streams.")
@click.option("--uploads", default=20, show_default=True, help="Whose progress is written once a second.")
@click.option("--seconds", default=20.0, show_default=True, help="Of each measurement.")
@click.option("--stopped", default=50, show_default=True, help="Watchers of everything that do not read.")
@click.option("--burst", default=5000, show_default=True, help="Watches opened at once.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(as_json: bool, **given: Any) -> None:
    """Print what the watchers heard and what they cost."""
    size = Size(**given)
    with bench() as processes:
        went = asyncio.run(measure(processes.gateway(), processes.redis.address, size))
    if as_json:
        figures = went._asdict() | {"alone": went.alone._asdict(), "beside": went.beside._asdict()}
        click.echo(json.dumps({"size": size._asdict(), **figures}, indent=2))
        return
    click.echo(f"Measured on {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    click.echo("\n".join(rows(size, went)))


if __name__ == "__main__":
    main()
