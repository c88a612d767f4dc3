"""Housekeeping over a real Redis, a real broker and a real folder: what was left undone gets done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import google_crc32c
import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from mediafleet_core import manifest
from mediafleet_core.errors import MediafleetError
from mediafleet_core.identity import new_upload_id
from mediafleet_core.media_types import MediaKind
from mediafleet_core.object_keys import ROOT, UploadKeys
from mediafleet_core.ports import Ledger, Original
from mediafleet_core.uploads import State, Upload
from mediafleet_devserver.redis_server import redis_server
from mediafleet_workers.housekeeping import Housekeeping, HousekeepingSettings
from mediafleet_workers.housekeeping.duties import DUTIES
from tests.intakes import Site, site
from tests.ledgers import ANN, LEASE, LIMITS, NOW, SHORTEST, claimed, created, outcome, queued
from tests.waiting import eventually

TICK = timedelta(milliseconds=20)


@pytest.fixture
async def place(redis_url: str, redis_client: Redis, tmp_path: Path) -> AsyncIterator[Site]:
    async with site(redis_url, tmp_path / "store") as place:
        yield place


@asynccontextmanager
async def kept(
    place: Site, job_lease: timedelta = LEASE, *, stray_age: timedelta = timedelta(hours=1)
) -> AsyncIterator[asyncio.Task[None]]:
    settings = HousekeepingSettings(
        housekeeping_interval=TICK,
        housekeeping_lease=timedelta(seconds=1),
        stray_interval=TICK,
        stray_age=stray_age,
    )
    keeper = Housekeeping(place.ledger, place.store, place.queue, settings, job_lease=job_lease)
    stop = asyncio.Event()
    task = asyncio.create_task(keeper.run(stop))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait_for(task, 60)


def successes(duty: str) -> float:
    return sample("mediafleet_housekeeping_last_success_timestamp_seconds", duty)


def failures(duty: str) -> float:
    return sample("mediafleet_housekeeping_failures_total", duty)


def sample(name: str, duty: str) -> float:
    value = REGISTRY.get_sample_value(name, {"duty": duty})
    assert value is not None
    return value


async def another_round(duty: str) -> None:
    """Until a round of the duty that starts from now on has succeeded."""
    for _ in range(2):
        await eventually(grown(successes, duty), message=f"a round of {duty}")


def grown(count: Callable[[str], float], duty: str) -> Callable[[], Awaitable[bool]]:
    before = count(duty)

    async def ask() -> bool:
        return count(duty) > before

    return ask


def in_state(ledger: Ledger, upload: Upload, state: State) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        return (await ledger.get(upload.upload_id)).state is state

    return ask


async def put(place: Site, key: str, content: bytes) -> None:
    await place.store.put(key, [content], crc32c=google_crc32c.value(content))


async def bells_for_images(place: Site) -> int:
    """How many wait, once some do."""
    return await eventually(place.bells, message="a bell")


async def test_one_bell_is_rung_for_due_work(place: Site) -> None:
    for _ in range(3):
        await queued(place.ledger)
    async with kept(place):
        assert await bells_for_images(place) == 1
        await another_round("ring")
        await another_round("ring")
        assert await place.bells() == 1
        assert await place.bells(MediaKind.AUDIO) == 0


async def test_a_job_whose_worker_fell_silent_is_queued_again(place: Site) -> None:
    upload = await queued(place.ledger)
    lease = timedelta(milliseconds=300)
    await claimed(place.ledger, lease)
    async with kept(place, job_lease=lease):
        await eventually(in_state(place.ledger, upload, State.QUEUED))
        await another_round("ring")
        assert await bells_for_images(place) == 1


async def test_an_abandoned_upload_expires_and_its_objects_go(place: Site) -> None:
    upload = await created(place.ledger, expires_in=NOW)
    await put(place, UploadKeys(ANN, upload.upload_id).original(1), b"left behind")

    async def gone() -> bool:
        return not await place.objects()

    async with kept(place):
        await eventually(in_state(place.ledger, upload, State.EXPIRED))
        await eventually(gone)


async def test_a_multipart_that_no_record_names_is_aborted_when_it_is_old(place: Site) -> None:
    upload = await created(place.ledger)
    key = UploadKeys(ANN, upload.upload_id).original(1)
    session = await place.ledger.open_write(upload.upload_id, ANN, 0)
    named = await place.store.begin_multipart(key)
    await place.ledger.attach_multipart(upload.upload_id, session.fence, key, named)
    await place.store.begin_multipart(key)
    await place.store.begin_multipart(UploadKeys(ANN, new_upload_id()).original(1))

    async def left() -> list[str]:
        return [found.multipart_id async for found in place.store.list_multiparts(ROOT)]

    async with kept(place):
        await another_round("strays")
        assert len(await left()) == 3
        assert REGISTRY.get_sample_value("mediafleet_storage_orphans") == 2
    async with kept(place, stray_age=SHORTEST):
        await another_round("strays")
        assert await left() == [named]
        assert REGISTRY.get_sample_value("mediafleet_storage_orphans") == 0


async def test_what_a_superseded_writer_stores_late_is_swept_beside_the_original(place: Site) -> None:
    upload = await created(place.ledger)
    keys = UploadKeys(ANN, upload.upload_id)
    for _ in range(2):
        session = await place.ledger.open_write(upload.upload_id, ANN, 0)
    await put(place, keys.original(2), b"abc")
    original = Original(keys.original(2), 3, 0)
    await place.ledger.finish(upload.upload_id, session.fence, original, limits=LIMITS, max_attempts=1)
    await put(place, keys.original(1), b"abc")
    await put(place, keys.tail(1), b"ab")

    async def swept() -> bool:
        return await place.objects() == [keys.original(2)]

    async with kept(place):
        await eventually(swept)


async def test_a_manifest_is_written_for_a_worker_that_died(place: Site, redis_client: Redis) -> None:
    upload = await queued(place.ledger)
    claim = await claimed(place.ledger)
    done = await place.ledger.commit(upload.upload_id, claim.fence, outcome())
    assert done is not None
    key = UploadKeys(ANN, upload.upload_id).manifest

    async def written() -> bool:
        return await place.store.head(key) is not None

    async with kept(place):
        await eventually(written)
        await another_round("manifests")
    content = b"".join([chunk async for chunk in place.store.read(key)])
    assert manifest.decode(content) == manifest.manifest_of(await place.ledger.get(upload.upload_id))
    assert await place.ledger.manifests(10) == []


async def test_a_failing_duty_does_not_stop_the_others(place: Site, tmp_path: Path) -> None:
    upload = await queued(place.ledger)
    claim = await claimed(place.ledger)
    await place.ledger.commit(upload.upload_id, claim.fence, outcome())
    await queued(place.ledger)
    objects = tmp_path / "store" / "objects"
    objects.rename(tmp_path / "away")
    objects.write_text("the folder is gone")

    async def written() -> bool:
        return await place.store.head(UploadKeys(ANN, upload.upload_id).manifest) is not None

    failed = grown(failures, "manifests")
    async with kept(place):
        await eventually(failed, message="a failed manifest")
        for duty in ("ring", "leases", "expire", "sweeps"):
            await another_round(duty)
        assert await bells_for_images(place) == 1
        objects.unlink()
        (tmp_path / "away").rename(objects)
        await eventually(written)


async def test_one_process_keeps_house_at_a_time(place: Site) -> None:
    await queued(place.ledger)
    assert await place.ledger.lead("another process", LEASE, job_lease=LEASE)
    before = {duty.name: successes(duty.name) for duty in DUTIES}
    async with kept(place):
        for _ in range(5):
            await asyncio.sleep(TICK.total_seconds())
            assert await place.ledger.lead("another process", LEASE, job_lease=LEASE)
        assert {duty.name: successes(duty.name) for duty in DUTIES} == before
        assert await place.ledger.lead("another process", TICK, job_lease=LEASE)
        await another_round("ring")  # the other one is silent now
        assert await bells_for_images(place) == 1


async def test_an_outage_of_redis_is_survived(tmp_path: Path) -> None:
    data = tmp_path / "redis"
    data.mkdir()
    async with AsyncExitStack() as around:
        with redis_server(data, port=0) as url:
            place = await around.enter_async_context(site(url, tmp_path / "store"))
            task = await around.enter_async_context(kept(place))
            await another_round("ring")
            await queued(place.ledger)
        with pytest.raises(MediafleetError):
            await place.ledger.check()
        with redis_server(data, port=urlsplit(url).port):
            await another_round("ring")
            assert not task.done()
            assert await bells_for_images(place) == 1
            await around.aclose()
