"""Processes that die or are replaced under load: nothing is lost, nothing is done twice, no attempt is burnt."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from benchmarks.recovery import kill_at_work
from mediafleet_core.fleet import QueueFigures
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.media_types import MediaKind
from mediafleet_core.uploads import State
from tests.books import check_books, uploads_of
from tests.chaos.crowd import Crowd, crowd_at
from tests.disk import busy_disk
from tests.fleet import Fleet, fleet_in
from tests.intakes import local_store
from tests.ledgers import ledger_at
from tests.waiting import eventually

_SLOTS = 3
_SETTINGS = {
    "MEDIAFLEET_WORKER_PLUGINS": "tests.poison",
    "MEDIAFLEET_WORKER_SLOTS": str(_SLOTS),
    "MEDIAFLEET_RETRY_FIRST": "PT4S",
    # Half of what comes by default: a lost job is back sooner, and an outage threatens leases more.
    "MEDIAFLEET_JOB_LEASE": "PT3S",
    "MEDIAFLEET_HOUSEKEEPING_LEASE": "PT2.5S",
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two gateways, two workers; each test leaves it whole and idle."""
    with fleet_in(tmp_path_factory.mktemp("restarts"), _SETTINGS) as fleet:
        yield fleet


@pytest.fixture
async def ledger(fleet: Fleet) -> AsyncIterator[RedisLedger]:
    """The fleet's, to look behind the scenes."""
    fleet.mend_redis()
    fleet.mend()
    fleet.wait()
    async with ledger_at(fleet.redis_url) as ledger:
        yield ledger


@pytest.fixture
async def crowd(fleet: Fleet) -> AsyncIterator[Crowd]:
    async with crowd_at(fleet, TenantId(f"t{uuid4().hex}")) as crowd:
        yield crowd


async def queue_of(ledger: RedisLedger, kind: MediaKind) -> QueueFigures:
    queues, _ = await ledger.queues()
    [queue] = [queue for queue in queues if queue.kind is kind]
    return queue


@contextmanager
def spoiled(files: Sequence[Path]) -> Iterator[None]:
    """Inside the context their bytes are not those that were stored."""
    contents = [file.read_bytes() for file in files]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content[::-1])
    yield
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)


async def leases_lost(fleet: Fleet, uploads: set[str]) -> dict[str, str]:
    """By upload: the workers that lost it, and in which stage."""
    async with Redis.from_url(fleet.redis_url, protocol=2) as client:
        told = {upload_id: await client.hget(f"mf:u:{upload_id}", "losses") for upload_id in uploads}
    return {upload_id: str(losses) for upload_id, losses in told.items() if losses}


async def test_the_jobs_of_a_killed_worker_run_again(fleet: Fleet, ledger: RedisLedger) -> None:
    await kill_at_work(fleet, ledger, fleet.workers[0], _SLOTS, rest=1.5)


@pytest.mark.parametrize(
    "outages",
    [[1.5], pytest.param([2.0, 30.0] * 5, marks=[pytest.mark.long, pytest.mark.timeout(900)])],
    ids=["once", "ten_times"],
)
async def test_a_killed_redis_costs_nothing_but_time(
    fleet: Fleet, ledger: RedisLedger, crowd: Crowd, outages: list[float]
) -> None:
    since, spoilt = await ledger.position(), dict[str, Path]()

    async def all_at_once() -> bool:
        queue = await queue_of(ledger, MediaKind.OTHER)
        return min(queue.waiting, queue.running) > 0 and queue.delayed == 2

    async def over() -> bool:
        queue = await queue_of(ledger, MediaKind.OTHER)
        return not (queue.waiting or queue.delayed or queue.running)

    with busy_disk(fleet.folder):
        async with crowd.busy():
            for away in outages:
                await ledger.pause(MediaKind.OTHER)
                for _ in range(2):
                    upload = await ledger.get(UploadId(await crowd.rest(0.1)))
                    spoilt[upload.upload_id] = fleet.folder / "objects" / "objects" / upload.original_key
                with spoiled(
                    list(spoilt.values())[-2:]
                ):  # so that their first attempts fail, and retries are due later
                    await crowd.many(2 * _SLOTS + 2, lambda: crowd.rest(2))
                    await ledger.resume(MediaKind.OTHER)
                    await eventually(all_at_once, 60, "jobs that wait, run and wait for a retry")
                    await asyncio.to_thread(fleet.end_redis)
                await asyncio.sleep(away)
                await asyncio.to_thread(fleet.mend_redis)
                await crowd.goes_on()
                await eventually(over, 60, "the jobs to be done")
        uploads = await check_books(
            fleet, ledger, local_store(fleet.folder / "objects"), crowd.tenant, crowd.acknowledged, since
        )
    assert {upload.upload_id: upload.attempt for upload in uploads} == {
        upload_id: 2 if upload_id in spoilt else 1 for upload_id in crowd.acknowledged
    }
    assert await leases_lost(fleet, crowd.acknowledged) == {}


@pytest.mark.parametrize(
    ("pictures", "rounds"),
    [(40, 1), pytest.param(471, 3, marks=[pytest.mark.long, pytest.mark.timeout(900)])],
    ids=["some", "many"],
)
async def test_a_rolling_restart_loses_and_doubles_nothing(
    fleet: Fleet, ledger: RedisLedger, crowd: Crowd, pictures: int, rounds: int
) -> None:
    since = await ledger.position()
    for kind in (MediaKind.IMAGE, MediaKind.OTHER):  # so that all are in flight at once
        await ledger.pause(kind)
    await crowd.many(pictures, crowd.picture)
    await crowd.many(pictures // 16, lambda: crowd.rest(1))
    for kind in (MediaKind.IMAGE, MediaKind.OTHER):
        await ledger.resume(kind)
    async with crowd.busy():
        for _ in range(rounds):
            for member in list(fleet.members):
                await asyncio.to_thread(fleet.replace, member)
            await asyncio.to_thread(fleet.end_redis, signal.SIGTERM)
            await asyncio.to_thread(fleet.mend_redis)
    uploads = await check_books(
        fleet, ledger, local_store(fleet.folder / "objects"), crowd.tenant, crowd.acknowledged, since, patience=300
    )
    assert {upload.attempt for upload in uploads} == {1}
    assert await leases_lost(fleet, crowd.acknowledged) == {}


@pytest.mark.long
async def test_what_redis_has_forgotten_is_done_again(fleet: Fleet, ledger: RedisLedger, crowd: Crowd) -> None:
    """A commit is forgotten, and of another upload the claim, too."""

    async def all_in(state: State) -> bool:
        return {upload.state for upload in await uploads_of(ledger, crowd.tenant)} == {state}

    async def works() -> bool:
        return (await ledger.get(UploadId(resting))).state is State.PROCESSING

    since = await ledger.position()
    await ledger.pause(MediaKind.IMAGE)
    await crowd.picture()
    resting = await crowd.rest(2)
    await eventually(works)
    known = fleet.redis_log.stat().st_size
    await ledger.resume(MediaKind.IMAGE)
    await eventually(lambda: all_in(State.SUCCEEDED))
    await asyncio.to_thread(fleet.end_redis)
    os.truncate(fleet.redis_log, known)
    await asyncio.to_thread(fleet.mend_redis)
    await ledger.resume(MediaKind.IMAGE)  # that was forgotten as well
    uploads = await check_books(
        fleet, ledger, local_store(fleet.folder / "objects"), crowd.tenant, crowd.acknowledged, since
    )
    assert {upload.attempt for upload in uploads} == {1}
    assert any(lost_writes(worker.address) for worker in fleet.workers)


def lost_writes(address: str) -> float:
    """How often this process has noticed."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as page:
        found = re.search(r"^mediafleet_ledger_lost_writes_total (\S+)", page.read().decode(), re.MULTILINE)
    assert found
    return float(found[1])
