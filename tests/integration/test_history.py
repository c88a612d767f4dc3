"""History that is archived and goes: over a real Redis, storage and housekeeping."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import google_crc32c
import msgspec
import pytest
from redis.asyncio import Redis

from mediafleet_core import cleanup, history
from mediafleet_core.batches import BatchSpec, BatchState
from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.failures import FailureCode
from mediafleet_core.identity import new_batch_id
from mediafleet_core.object_keys import ROOT
from mediafleet_core.ports import BatchFilter, RequestKey, Retention, UploadFilter
from mediafleet_core.uploads import Upload, UploadSpec
from mediafleet_workers.housekeeping import Housekeeping, HousekeepingSettings
from tests import gateways
from tests.gateways import Reached, bearer, create
from tests.intakes import Site, site
from tests.integration.test_cli import mediafleet
from tests.ledgers import ANN, BOB, LEASE, SPEC, claimed, created, failed, outcome, queued
from tests.waiting import eventually

MONTH = timedelta(days=30)


@pytest.fixture
async def place(redis_url: str, redis_client: Redis, tmp_path: Path) -> AsyncIterator[Site]:
    async with site(redis_url, tmp_path / "store") as place:
        yield place


async def succeeded(place: Site, spec: UploadSpec = SPEC, tenant: Any = ANN) -> Upload:
    await queued(place.ledger, spec, tenant)
    claim = await claimed(place.ledger)
    original = claim.upload.original_key
    await place.store.put(original, [b"bytes"], crc32c=google_crc32c.value(b"bytes"))
    done = await place.ledger.commit(claim.upload.upload_id, claim.fence, outcome())
    assert done is not None
    await place.ledger.manifest_written(done)
    return await place.ledger.get(done.upload_id)


async def unfortunate(place: Site, spec: UploadSpec = SPEC) -> Upload:
    await queued(place.ledger, spec)
    claim = await claimed(place.ledger)
    await place.store.put(claim.upload.original_key, [b"bytes"], crc32c=google_crc32c.value(b"bytes"))
    done = await place.ledger.fail_attempt(claim.upload.upload_id, claim.fence, failed(FailureCode.CORRUPT_MEDIA, 1))
    assert done is not None
    return done


async def pruned(place: Site, *, objects: bool = False, since: datetime | None = None) -> history.Pruned:
    """A month after `since`, or after everything."""
    now = (since or datetime.now(UTC) + timedelta(days=1)) + MONTH
    return await history.prune(place.store, place.ledger, ANN, Retention(days=MONTH.days, objects=objects), now)


async def lines(place: Site, what: str) -> list[dict[str, Any]]:
    """Everything in the archive of a tenant."""
    files = [stored.key async for stored in place.store.list(f"archive/ann/{what}/")]
    contents = [b"".join([chunk async for chunk in place.store.read(key)]) for key in files]
    return [line for content in contents for line in msgspec.json.Decoder(dict[str, Any]).decode_lines(content)]


async def ids(place: Site) -> list[str]:
    page = await place.ledger.list(ANN, UploadFilter(), limit=100, oldest_first=True)
    return [upload.upload_id for upload in page.uploads]


async def gone(place: Site, upload: Upload) -> bool:
    try:
        await place.ledger.get(upload.upload_id)
    except MediafleetError as error:
        return error.reason is Reason.UPLOAD_NOT_FOUND
    return False


async def test_what_ended_long_ago_is_archived_and_goes_and_its_objects_stay(place: Site, redis_client: Redis) -> None:
    old, young = await succeeded(place), await succeeded(place)
    busy = await queued(place.ledger)
    before = await place.ledger.usage(ANN)
    assert await pruned(place, since=young.finish_time) == (1, 0)
    assert await ids(place) == [young.upload_id, busy.upload_id]
    (line,) = await lines(place, "uploads")
    assert (line["schema"], line["upload"]["upload_id"], line["upload"]["state"]) == (1, old.upload_id, "SUCCEEDED")
    restored = msgspec.convert(line, history.ArchivedUpload).upload
    assert (restored.original_key, restored.renditions) == (old.original_key, old.renditions)
    now = await place.ledger.usage(ANN)
    assert (now.originals, now.renditions) == (before.originals, before.renditions)
    await place.housekeeping()
    assert old.original_key in await place.objects()
    assert not await redis_client.keys(f"mf:u:{old.upload_id}*")
    assert await pruned(place, since=young.finish_time) == (0, 0)


async def test_objects_go_too_where_the_tenant_wants_that(place: Site, redis_client: Redis) -> None:
    await succeeded(place)
    assert await pruned(place, objects=True) == (1, 0)
    assert (await place.ledger.usage(ANN)).total == (0, 0)
    await place.housekeeping()
    assert await place.objects() == []
    assert len(await lines(place, "uploads")) == 1


async def test_an_original_that_was_kept_for_a_retry_goes_with_its_record(place: Site, redis_client: Redis) -> None:
    await unfortunate(place)
    assert await pruned(place) == (1, 0)
    assert (await place.ledger.usage(ANN)).total == (0, 0)
    await place.housekeeping()
    assert await place.objects() == []
    assert sum(figures.dead for figures in (await place.ledger.queues())[0]) == 0


async def test_a_record_that_changed_meanwhile_stays(place: Site, redis_client: Redis) -> None:
    old = await unfortunate(place)
    (read,) = await place.ledger.old_uploads(ANN, datetime.now(UTC) + MONTH, limit=10)
    await place.ledger.retry(old.upload_id, ANN, max_attempts=1)
    assert not await place.ledger.prune_upload(read, objects=False)
    assert await ids(place) == [old.upload_id]


async def test_a_commit_waits_for_its_manifest(place: Site, redis_client: Redis) -> None:
    await queued(place.ledger)
    claim = await claimed(place.ledger)
    done = await place.ledger.commit(claim.upload.upload_id, claim.fence, outcome())
    assert done is not None
    assert await pruned(place) == (0, 0)
    assert not await place.ledger.prune_upload(done, objects=False)


async def test_a_batch_goes_as_a_whole_when_it_ended_long_ago(place: Site, redis_client: Redis) -> None:
    request = RequestKey("CreateBatch", "mine", "digest")
    batch = await place.ledger.create_batch(new_batch_id(), ANN, BatchSpec(), request=request)
    member = UploadSpec(display_name="a.jpg", content_type="image/jpeg", size_bytes=5, batch_id=batch.batch_id)
    good, bad = await succeeded(place, member), await unfortunate(place, member)
    assert await pruned(place) == (0, 0)  # it takes more members
    sealed = await place.ledger.seal_batch(batch.batch_id, ANN)
    assert sealed.state is BatchState.PARTIALLY_FAILED
    assert await pruned(place, since=sealed.finish_time) == (0, 0)
    # As if whoever archives had died after one member.
    assert await place.ledger.prune_upload(good, objects=False)
    rows = [each async for each in place.ledger.members(batch.batch_id, ANN)]
    assert [(each.upload.upload_id, each.deleted) for each in rows] == [(good.upload_id, True), (bad.upload_id, False)]
    assert await pruned(place) == (1, 1)
    (line,) = await lines(place, "batches")
    assert (line["batch"]["batch_id"], line["batch"]["counts"]["FAILED"]) == (batch.batch_id, 1)
    assert (await place.ledger.list_batches(ANN, BatchFilter(), limit=10)).batches == ()
    assert not [key for key in await redis_client.keys("mf:*") if batch.batch_id in str(key)]
    again = await place.ledger.create_batch(new_batch_id(), ANN, BatchSpec(), request=request)
    assert again.batch_id != batch.batch_id


async def test_housekeeping_archives_for_tenants_whose_limits_say_so(
    place: Site, redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    limits = '{"ann": {"history_days": 30}}'
    configured = gateways.settings(redis_url, tmp_path / "store", gateway={"tenants": limits})
    async with gateways.running(configured) as reached:
        await create(reached)
    assert await place.ledger.retention() == {ANN: Retention(days=30)}
    await place.ledger.set_retention({ANN: Retention(days=-1)})  # as if it were over now
    mine, other = await succeeded(place), await succeeded(place, tenant=BOB)
    tick = timedelta(milliseconds=20)
    settings = HousekeepingSettings(housekeeping_interval=tick, history_interval=tick)
    keeper = Housekeeping(place.ledger, place.store, place.queue, settings, job_lease=LEASE)
    stop = asyncio.Event()
    task = asyncio.create_task(keeper.run(stop))
    await eventually(lambda: gone(place, mine))
    stop.set()
    await task
    assert (await place.ledger.get(other.upload_id)).upload_id == other.upload_id
    # Who is not configured any more keeps everything.
    async with gateways.running(gateways.settings(redis_url, tmp_path / "store")):
        assert await place.ledger.retention() == {}


async def test_a_tenant_of_many_old_records_is_archived_page_by_page(
    place: Site, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "PAGE", 3)
    for _ in range(7):
        await place.ledger.cancel((await created(place.ledger)).upload_id, ANN, "")
    assert await pruned(place) == (7, 0)
    assert len(await lines(place, "uploads")) == 7
    assert len([stored async for stored in place.store.list("archive/ann/uploads/")]) == 3
    assert await cleanup_is_quiet(place)


async def cleanup_is_quiet(place: Site) -> bool:
    """Whether sweeps leave the archive alone."""
    for planned in await place.ledger.sweeps(1000):
        assert planned.prefix.startswith(ROOT)
        await cleanup.sweep(place.store, place.ledger, planned)
    return len(await lines(place, "uploads")) == 7


async def test_the_whole_history_is_exported(reached: Reached) -> None:
    made = [await create(reached, display_name=f"={number}.bin") for number in range(60)]
    endpoint = str(reached.gateway.address)
    token = bearer("ann", ("read",))[0][1].removeprefix("Bearer ")
    exported = await mediafleet("list", "--csv", "--since", "1h", endpoint=endpoint, token=token)
    rows = list(csv.DictReader(io.StringIO(exported.stdout)))
    assert [row["upload_id"] for row in rows] == [upload.upload_id for upload in reversed(made)]
    assert {row["state"] for row in rows} == {"RECEIVING"}
    assert rows[-1]["display_name"] == "'=0.bin"
    exported = await mediafleet("list", "--json", "--text", "=1", endpoint=endpoint, token=token)
    names = [json.loads(line)["display_name"] for line in exported.stdout.splitlines()]
    assert names == [f"={number}.bin" for number in (*range(19, 9, -1), 1)]
    both = await mediafleet("list", "--json", "--csv", endpoint=endpoint, token=token)
    assert both.returncode == 2
