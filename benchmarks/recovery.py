"""How long the jobs of a killed worker wait until they are claimed again.

Two gateways, two workers with default settings; SIGKILL for one worker, its zygote and its children.

Reference: none. It is mostly the lease, which has to run out first.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import click

from benchmarks.pairs import quantile
from mediafleet import AsyncClient
from mediafleet_core.events import StateChanged
from mediafleet_core.identity import TenantId
from mediafleet_core.ledger import LedgerSettings, RedisLedger, connect
from mediafleet_core.media_types import MediaKind
from mediafleet_core.uploads import State
from tests.books import check_books
from tests.fleet import Fleet, Member, fleet_in
from tests.intakes import local_store
from tests.waiting import eventually

_REST = 5.0
"""Seconds that a job takes, so that all of them run when the worker dies."""


def settings(jobs: int) -> dict[str, str]:
    """Everything as it comes, but for slots that hold all jobs."""
    return {"MEDIAFLEET_WORKER_PLUGINS": "tests.poison", "MEDIAFLEET_WORKER_SLOTS": str(jobs)}


async def kill_at_work(
    fleet: Fleet, ledger: RedisLedger, victim: Member, jobs: int, rest: float = _REST
) -> list[float]:
    """Both workers have `jobs` jobs when `victim` is killed with its children; a new worker takes its place at once.

    The seconds from the kill until each of its jobs was claimed again. All must succeed in their first attempt.
    """
    tenant, since = TenantId(f"t{uuid4().hex}"), await ledger.position()
    await ledger.pause(MediaKind.OTHER)  # so that all begin together
    async with AsyncClient(targets=fleet.gateways, token=fleet.token(tenant)) as client:
        files = [f"POISON:rest:{rest}\n{number}".encode() for number in range(2 * jobs)]
        uploads = await asyncio.gather(*(client.upload(file, display_name="job.bin") for file in files))
    await ledger.resume(MediaKind.OTHER)
    ids = {upload.upload_id for upload in uploads}

    async def all_run() -> bool:
        queues, _ = await ledger.queues()
        return sum(queue.running for queue in queues) == 2 * jobs

    await eventually(all_run, 30, "every slot to be busy")
    killed = time.time()
    await asyncio.to_thread(fleet.kill, victim)
    fleet.mend()
    done = await check_books(fleet, ledger, local_store(fleet.folder / "objects"), tenant, ids, since)
    assert {upload.attempt for upload in done} == {1}
    again = {
        entry.upload_id: entry.time.timestamp() - killed
        for _, entry in await ledger.read(since, limit=10 * len(ids))
        if isinstance(entry, StateChanged) and entry.state is State.PROCESSING and entry.time.timestamp() > killed
    }
    assert len(again) == jobs, f"{len(again)} of {jobs} jobs ran again"
    return sorted(again.values())


async def measure(folder: Path, jobs: int, rounds: int) -> list[float]:
    """In each round another worker is killed: sometimes the one that keeps house, sometimes not."""
    seconds: list[float] = []
    with fleet_in(folder, settings(jobs)) as fleet:
        ledger = await connect(LedgerSettings(ledger_url=fleet.redis_url))
        for number in range(rounds):
            await asyncio.to_thread(fleet.wait)
            seconds += await kill_at_work(fleet, ledger, fleet.workers[number % 2], jobs)
        await ledger.close()
    return sorted(seconds)


@click.command(help=__doc__)
@click.option("--jobs", default=20, show_default=True, help="Jobs that run in the worker that is killed.")
@click.option("--rounds", default=4, show_default=True, help="Workers killed, one after the other.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a sentence.")
def main(jobs: int, rounds: int, as_json: bool) -> None:
    """Measure and print."""
    with TemporaryDirectory(prefix="mediafleet-bench-") as folder:
        seconds = asyncio.run(measure(Path(folder), jobs, rounds))
    found = {"median": statistics.median(seconds), "p99": quantile(seconds, 99), "most": seconds[-1]}
    if as_json:
        click.echo(json.dumps({"jobs": jobs, "rounds": rounds, **found}))
        return
    figures = ", ".join(f"{name} {value:.1f} s" for name, value in found.items())
    click.echo(f"kill to claimed again, {rounds} kills of a worker with {jobs} jobs: {figures}")


if __name__ == "__main__":
    main()
