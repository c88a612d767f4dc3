"""SIGTERM for every process of a busy fleet in turn, two gateways and two workers, each with a successor.

As a rolling update does it, another gateway is ready before one goes, and has another address. A worker goes first, so
that it surely has half of the jobs. Uploads, watches and jobs are in full swing each time. Whatever a caller began must
end well, every watcher must hear what the ledger has, and no job may be done twice. How long each process took to end
is what grace periods are made from.

Reference: the grace periods of deploy/k8s, which must cover it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click

from benchmarks.rolling_crowd import Load, RollingCrowd
from benchmarks.watch_chaos import faults_of
from mediafleet_core.identity import TenantId
from mediafleet_core.uploads import State
from tests.books import check_books
from tests.fleet import GATEWAY, ROOT, Fleet, fleet_in
from tests.intakes import local_store
from tests.ledgers import ledger_at

TENANT = TenantId("drain")

GRACE = 5.0
"""Seconds that workers give their jobs here."""

_CHECKOUT = click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True)


class Ended(NamedTuple):
    """A process that got SIGTERM, what went on in the fleet at that moment, and how long it took to end."""

    role: str
    uploads: int
    watches: int
    jobs: int
    seconds: float


class Drained(NamedTuple):
    """What came of it; `faults` are watchers that were told otherwise than the ledger has it."""

    processes: Sequence[Ended]
    uploads: int
    stories: int
    faults: Sequence[str]


async def drain(fleet: Fleet, load: Load) -> Drained:
    """Every process of the fleet in turn.

    Raises AssertionError when an upload failed, a job was done twice or anything was left over.
    """
    spare = fleet.free_address()
    crowd = RollingCrowd([*fleet.gateways, spare], fleet.token(TENANT), load)
    async with ledger_at(fleet.redis_url) as ledger:
        since, ended = await ledger.position(), []
        async with crowd.uploading_all_the_time():
            for member in list(fleet.members):
                place = spare if member.role == GATEWAY else fleet.free_address()
                if member.role == GATEWAY:
                    await asyncio.to_thread(fleet.join, GATEWAY, place)
                async with crowd.working(ledger) as jobs:
                    states = [(await ledger.get(job)).state for job in jobs]
                    at_work, uploads = states.count(State.PROCESSING), crowd.uploading
                    seconds = await asyncio.to_thread(fleet.leave, member)
                if member.role != GATEWAY:  # the other one could not have had every job
                    await asyncio.to_thread(fleet.join, member.role, place)
                ended.append(Ended(member.role, uploads, at_work * load.watchers_per_job, at_work, seconds))
                spare = member.address
        await crowd.close()
        taken = await check_books(fleet, ledger, local_store(fleet.folder / "objects"), TENANT, crowd.taken, since)
        assert {upload.attempt for upload in taken} == {1}
        faults = [fault async for fault in faults_of(fleet.redis_url, crowd.stories)]
    return Drained(ended, len(taken), len(crowd.stories), faults)


def settings(load: Load) -> dict[str, str]:
    """Everything as it comes, but for slots that all jobs fill, and a grace that some of them outlast."""
    return {
        "MEDIAFLEET_WORKER_PLUGINS": "tests.poison",
        "MEDIAFLEET_WORKER_SLOTS": str(load.jobs // 2),
        "MEDIAFLEET_WORKER_GRACE": f"{GRACE}s",
        # All callers are one tenant, and of each upload a part may be held.
        "MEDIAFLEET_TENANTS": json.dumps({TENANT: {"bytes_in_flight": 1 << 30}}),
    }


async def measure(folder: Path, load: Load, *, before: Path = ROOT, after: Path = ROOT) -> Drained:
    """In a fleet of its own: two gateways, two workers, one Redis.

    `before` is the checkout whose code those run that go, `after` that of their successors.
    """
    with fleet_in(folder, settings(load) | _code_of(before)) as fleet:
        fleet.settings |= _code_of(after)
        return await drain(fleet, load)


def _code_of(checkout: Path) -> dict[str, str]:
    """Comes before what is installed; the misbehaving decoder of the tests is ours in any case."""
    folders = [checkout / folder for folder in ("sdk", "core", "services/gateway", "workers")]
    return {"PYTHONPATH": ":".join(map(str, [*folders, ROOT]))}


@click.command(help=__doc__)
@click.option("--uploads", default=50, show_default=True, help="Under way at each SIGTERM.")
@click.option("--jobs", default=20, show_default=True, help="At work at each SIGTERM.")
@click.option("--watchers", default=10, show_default=True, help="Watchers of each job.")
@click.option("--from", "before", type=_CHECKOUT, default=ROOT, help="Checkout that those run that go: an upgrade.")
@click.option("--to", "after", type=_CHECKOUT, default=ROOT, help="Checkout that their successors run: a roll-back.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of sentences.")
def main(uploads: int, jobs: int, watchers: int, before: Path, after: Path, as_json: bool) -> None:
    """Measure and print."""
    with TemporaryDirectory(prefix="mediafleet-drain-") as folder:
        went = asyncio.run(measure(Path(folder), Load(uploads, jobs, watchers), before=before, after=after))
    if as_json:
        click.echo(json.dumps({**went._asdict(), "processes": [each._asdict() for each in went.processes]}))
        return
    for each in went.processes:
        click.echo(
            f"{each.role}: {each.seconds:.2f} s from SIGTERM to its end, "
            f"with {each.uploads} uploads, {each.watches} watches and {each.jobs} jobs under way"
        )
    click.echo(f"{went.uploads} uploads taken, all SUCCEEDED, once each, in their first attempt")
    click.echo(f"{went.stories} watchers; told otherwise than the ledger has it: {len(went.faults)}")
    for fault in went.faults:
        click.echo(f"  {fault}")


if __name__ == "__main__":
    main()
