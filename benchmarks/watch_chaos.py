"""Jobs and their watchers through gateways that are killed again and again.

Each job has a client of its own, which uploads a small file and watches it to its end, with all gateways in its list.
The last gateway that serves is spared: a gap tells how soon a watch goes on, and not how soon this machine starts a
process. The end-to-end tests do the same with fewer jobs.

Reference: what the ledger has, which every watcher must have been told. The goal is a gap of 2 s at p99.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import socket
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click

from benchmarks.pairs import quantile
from mediafleet import TERMINAL_STATES, AsyncClient, UploadEvent
from mediafleet_core.events import StateChanged
from mediafleet_core.identity import UploadId
from mediafleet_core.ledger import LedgerSettings, connect
from mediafleet_gateway.convert import STATES
from tests.e2e.dev_server import DevServerProcess, dev_server

GATEWAYS = 3
SLOTS = 8


class Story(NamedTuple):
    """What one watcher was told: snapshots, state changes as (sequence, state), and of those the terminal ones."""

    snapshots: int
    first: int
    changes: Sequence[tuple[int, int]]

    @property
    def ends(self) -> int:
        """Terminal changes; the last must be one."""
        return sum(state in TERMINAL_STATES for _, state in self.changes)


class Chaos(NamedTuple):
    """What came of it. A gap is from the kill until the watch stands at another gateway."""

    kills: int
    seconds: float
    gaps: list[float]
    stories: list[Story]
    faults: list[str]
    """Where a story is not the ledger's."""

    @property
    def p99(self) -> float:
        """Of the gaps, in seconds."""
        return quantile(self.gaps, 99)


async def watch_through_kills(server: DevServerProcess, jobs: int, every: float, seed: int) -> Chaos:
    """`jobs` uploads and their watchers, while every `every` seconds a serving gateway, at random, is SIGKILLed."""
    chance = random.Random(seed)
    kills: list[float] = []
    targets = list(server.endpoints["gateways"])
    with _resumes() as resumes:
        begun = time.perf_counter()
        killing = asyncio.create_task(_kill(server, every, chance, kills))
        stories = await asyncio.gather(
            *(_job(chance.sample(targets, len(targets)), server.token, number) for number in range(jobs))
        )
        killing.cancel()
        seconds = time.perf_counter() - begun
    gaps = [at - max(kill for kill in kills if kill <= at - lost) for at, lost in resumes]
    faults = [fault async for fault in faults_of(server.endpoints["redis"], stories)]
    return Chaos(len(kills), seconds, gaps, [story for _, story in stories], faults)


async def _job(targets: Sequence[str], token: str, number: int) -> tuple[str, Story]:
    async with AsyncClient(targets=targets, token=token) as client:
        upload = await client.upload(f"POISON:nap\n{number}".encode(), display_name=f"{number}.bin")
        return upload.upload_id, await story(client, upload.upload_id)


async def story(client: AsyncClient, upload_id: str, begun: Callable[[], None] = lambda: None) -> Story:
    """Watch it to its end; calls `begun` once the watch stands."""
    told: list[UploadEvent] = []
    async with aclosing(client.watch(upload_id)) as events:
        async for event in events:
            if not told:
                begun()
            if not told or not event.HasField("progress"):
                told.append(event)
    snapshots = [event for event in told if event.HasField("snapshot")]
    changes = [(event.sequence, event.state_changed.state) for event in told if event.HasField("state_changed")]
    return Story(len(snapshots), _first(told).sequence, changes)


def _first(told: Sequence[UploadEvent]) -> UploadEvent:
    return next(event for event in told if event.HasField("snapshot"))


async def _kill(server: DevServerProcess, every: float, chance: random.Random, kills: list[float]) -> None:
    while True:
        await asyncio.sleep(every)
        gateways = server.endpoints["gateways"]
        serving = [number for number in range(GATEWAYS) if _serves(gateways[number])]
        if len(serving) > 1:
            os.kill(server.pids[f"gateway-{chance.choice(serving)}"], signal.SIGKILL)
            kills.append(time.time())


def _serves(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


@contextmanager
def _resumes() -> Iterator[list[tuple[float, float]]]:
    """When each watch went on, and how long after it had noticed the break, as the SDK's log tells."""
    found: list[tuple[float, float]] = []

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "goes on" in record.msg and isinstance(record.args, tuple):
                found.append((record.created, float(str(record.args[1]))))

    logger, notes = logging.getLogger("mediafleet"), Notes()
    level = logger.level
    logger.addHandler(notes)
    logger.setLevel(logging.INFO)
    try:
        yield found
    finally:
        logger.removeHandler(notes)
        logger.setLevel(level)


async def faults_of(redis_url: str, stories: Iterable[tuple[str, Story]]) -> AsyncIterator[str]:
    """Where the story of an upload is not the ledger's."""
    ledger = await connect(LedgerSettings(ledger_url=redis_url))
    try:
        for upload_id, told in stories:
            entries = (await ledger.history(UploadId(upload_id))).entries
            truth = [
                (entry.sequence, STATES[entry.state])
                for _, entry in entries
                if isinstance(entry, StateChanged) and entry.sequence > told.first
            ]
            if told.changes != truth:
                yield f"{upload_id}: told {told.changes} behind {told.first}, the ledger has {truth}"
            if told.snapshots != 1 or told.ends != 1:
                yield f"{upload_id}: {told.snapshots} snapshots, {told.ends} ends"
    finally:
        await ledger.close()


@contextmanager
def stage(folder: Path) -> Iterator[DevServerProcess]:
    """Gateways, and workers for jobs that nap."""
    environment = {
        "MEDIAFLEET_WORKER_PLUGINS": "tests.poison",
        "MEDIAFLEET_WORKER_SLOTS": str(SLOTS),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    with dev_server(folder / "data", "--gateways", str(GATEWAYS), environment=environment) as server:
        yield server


@click.command(help=__doc__)
@click.option("--jobs", default=200, show_default=True, help="Each with a watcher.")
@click.option("--every", default=2.0, show_default=True, help="Seconds between two kills.")
@click.option("--seed", default=1, show_default=True, help="Of the choice of gateways.")
def main(jobs: int, every: float, seed: int) -> None:
    """Start a dev server with three gateways, watch through the kills, print what came of it."""
    with TemporaryDirectory(prefix="mediafleet-chaos-") as folder, stage(Path(folder)) as server:
        went = asyncio.run(watch_through_kills(server, jobs, every, seed))
    told = sum(len(story.changes) for story in went.stories)
    click.echo(f"{jobs} jobs with a watcher each, {went.kills} kills in {went.seconds:.0f} s, seed {seed}")
    click.echo(f"{told} transitions told; watchers told otherwise than the ledger has it: {len(went.faults)}")
    for fault in went.faults:
        click.echo(f"  {fault}")
    click.echo(
        f"{len(went.gaps)} resumes, gap median {statistics.median(went.gaps):.2f} s, p99 {went.p99:.2f} s, "
        f"most {max(went.gaps):.2f} s"
    )


if __name__ == "__main__":
    main()
