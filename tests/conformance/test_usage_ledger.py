"""What the ledger counts: usage, operations, the past; how a reconciliation begins, goes on and ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from redis.asyncio import Redis

from mediafleet_core.identity import TenantId, UploadId, new_upload_id
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.ports import ListedUpload
from mediafleet_core.uploads import Upload
from mediafleet_core.usage import Granularity, Operations, Stored
from tests.ledgers import ANN, BOB, SPEC, claimed, created, outcome, queued

pytestmark = pytest.mark.usefixtures("same_hour")

NOBODY = TenantId("")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
DUE = {"lease": MINUTE, "every": timedelta(0), "again": timedelta(0)}


async def test_the_bucket_is_the_sum_of_all_tenants(ledger: RedisLedger) -> None:
    await queued(ledger)
    claim = await claimed(ledger)
    await ledger.commit(claim.upload.upload_id, claim.fence, outcome())
    await queued(ledger, tenant=BOB)
    await created(ledger, tenant=BOB)
    whole = await ledger.usage(None)
    assert (whole.total, whole.reserved_bytes) == (Stored(2010, 3), 1000)
    assert sum(whole.renditions.values(), Stored()) == Stored(10, 1)
    assert whole.collections == {}


async def test_collections_come_largest_first_and_those_without_one_count_too(ledger: RedisLedger) -> None:
    for collection, size in (("small", 10), ("large", 500), ("", 70), ("gone", 5)):
        upload = await queued(ledger, msgspec.structs.replace(SPEC, collection=collection, size_bytes=size))
    await ledger.delete(upload.upload_id, ANN)
    usage = await ledger.usage(ANN)
    assert list(usage.collections.items()) == [("large", Stored(500, 1)), ("", Stored(70, 1)), ("small", Stored(10, 1))]


async def test_operations_are_counted_once_for_tenant_and_bucket(ledger: RedisLedger) -> None:
    counts = {ANN: Operations(3, 5), NOBODY: Operations(2, 0)}
    for _ in range(2):
        await ledger.count_operations(counts, op="the same")
    await ledger.count_operations({ANN: Operations(0, 1)}, op="another")
    assert await ledger.operations(ANN) == Operations(3, 6)
    assert await ledger.operations(BOB) == Operations()
    assert await ledger.operations(None) == Operations(5, 6)


async def test_the_past_is_what_was_sampled_and_goes_on_where_nothing_changed(
    ledger: RedisLedger, redis_client: Redis
) -> None:
    today = Granularity.DAY.start(datetime.now(UTC))

    async def sampled(days_ago: int, size: int) -> None:
        start = int((today - timedelta(days=days_ago)).timestamp() * 1000)
        await redis_client.zadd("mf:trend:day:ann", {f"{start} {size} 1 0 0": start})

    await sampled(500, 1)
    await sampled(5, 100)
    await sampled(3, 300)
    await queued(ledger)
    await ledger.count_operations({ANN: Operations(7, 1)}, op="op")
    begin = today - timedelta(days=6)
    history = await ledger.usage_history(ANN, "", Granularity.DAY, begin, datetime.now(UTC), limit=1000)
    assert [point.start for point in history.points] == [begin + timedelta(days=day) for day in range(7)]
    assert [point.originals.size for point in history.points] == [1, 100, 100, 300, 300, 300, 1000]
    assert [point.operations.class_a for point in history.points] == [0] * 6 + [7]
    first = await ledger.usage_history(ANN, "", Granularity.DAY, begin, datetime.now(UTC), limit=3)
    assert (first.points, first.next_start) == (history.points[:3], history.points[3].start)
    rest = await ledger.usage_history(ANN, "", Granularity.DAY, history.points[3].start, datetime.now(UTC), limit=9)
    assert (rest.points, rest.next_start) == (history.points[3:], None)
    assert (await ledger.usage_history(BOB, "", Granularity.DAY, begin, today, limit=9)).points == ()


async def test_a_sample_is_the_end_of_its_steps_for_every_scope(ledger: RedisLedger, redis_client: Redis) -> None:
    upload = await queued(ledger)
    await ledger.sample_usage()
    await ledger.delete(upload.upload_id, ANN)
    await queued(ledger, tenant=BOB)
    await ledger.sample_usage()
    await ledger.sample_usage()
    now = datetime.now(UTC)
    for granularity in Granularity:
        start = int(granularity.start(now).timestamp() * 1000)
        for scope, count in (("", 1), ("ann", 0), ("ann/trip", 0), ("bob/trip", 1)):
            amounts = f"{1000 * count} {count} 0 0"
            points = await redis_client.zrange(f"mf:trend:{granularity}:{scope}", 0, -1)
            assert points == [f"{start} {amounts}".encode()], (granularity, scope)


async def test_old_samples_go_but_for_the_one_that_still_holds(ledger: RedisLedger, redis_client: Redis) -> None:
    hour = Granularity.HOUR.start(datetime.now(UTC))
    old = [int((hour - timedelta(days=days)).timestamp() * 1000) for days in (30, 20, 10)]
    await redis_client.zadd("mf:trend:hour:ann", {f"{at} {at} 1 0 0": at for at in old})
    await queued(ledger)
    await ledger.sample_usage()
    points = await redis_client.zrange("mf:trend:hour:ann", 0, -1)
    left = [int(point.split()[0]) for point in points if isinstance(point, bytes)]
    assert left == [*old[1:], int(hour.timestamp() * 1000)]


async def test_a_reconciliation_begins_when_it_is_due_or_wanted(ledger: RedisLedger) -> None:
    never = {"lease": MINUTE, "every": HOUR, "again": HOUR}
    await queued(ledger)
    assert await ledger.begin_reconciliation("first", **never) == Stored(1000, 1)
    assert await ledger.begin_reconciliation("second", **DUE) is None
    assert (await ledger.reconciliation()).progress is not None
    assert await ledger.end_reconciliation("first", listed=Stored(7, 2), other=Stored(), drift=Stored(-3, 1))
    latest = (await ledger.reconciliation()).latest
    assert latest is not None
    assert (latest.listed, latest.drift, latest.counted) == (Stored(7, 2), Stored(-3, 1), Stored(1000, 1))
    assert await ledger.begin_reconciliation("third", **never) is None
    asked = await ledger.want_reconciliation()
    assert asked >= latest.time
    assert await ledger.begin_reconciliation("third", **never) is not None
    await ledger.give_up_reconciliation("third")
    await ledger.want_reconciliation(patient=True)
    assert await ledger.begin_reconciliation("fourth", **never) is None, "it was just tried, in vain"
    assert await ledger.begin_reconciliation("fourth", **never | {"again": timedelta(0)}) is not None
    assert (await ledger.reconciliation()).latest == latest


def listed(upload: Upload, size: int, objects: int = 1) -> ListedUpload:
    return ListedUpload(upload.tenant, upload.upload_id, Stored(size, objects))


async def test_uploads_are_compared_with_what_is_counted_of_them(ledger: RedisLedger) -> None:
    right, more, lost, receiving = [await queued(ledger) for _ in range(3)] + [await created(ledger)]
    deleted = await ledger.delete((await queued(ledger)).upload_id, ANN)
    stranger = ListedUpload(ANN, new_upload_id(), Stored(5, 1))
    await ledger.begin_reconciliation("run", **DUE)
    every = [listed(right, 1000), listed(more, 1010, 2), listed(lost, 999), listed(receiving, 1000), stranger]
    every.append(listed(deleted, 1000))
    found = await ledger.compare("run", every, lease=MINUTE, listed=40)
    assert found is not None
    assert found.differing == {
        more.upload_id: Stored(10, 1),
        lost.upload_id: Stored(-1, 0),
        receiving.upload_id: Stored(1000, 1),
        deleted.upload_id: Stored(1000, 1),
    }
    settled = await ledger.compare("run", every, lease=MINUTE, listed=2, settled=True)
    assert settled is not None
    assert settled.differing.keys() == {more.upload_id, lost.upload_id}
    progress = (await ledger.reconciliation()).progress
    assert progress is not None
    assert (progress.listed, progress.expected) == (42, 3)


async def test_what_moves_meanwhile_is_noted_as_it_was(ledger: RedisLedger) -> None:
    waiting, leaving = await queued(ledger), await queued(ledger)
    await ledger.begin_reconciliation("run", **DUE)
    coming = await queued(ledger)
    claim = await claimed(ledger)
    await ledger.commit(claim.upload.upload_id, claim.fence, outcome())
    await ledger.delete(leaving.upload_id, ANN)
    noted = {coming.upload_id: Stored(), waiting.upload_id: Stored(1000, 1), leaving.upload_id: Stored(1000, 1)}
    assert await ledger.moved() == noted
    found = await ledger.compare("run", [listed(leaving, 1000)], lease=MINUTE, listed=1)
    assert found == (frozenset({leaving.upload_id}), {})
    await ledger.end_reconciliation("run", listed=Stored(), other=Stored(), drift=Stored())
    await ledger.delete(coming.upload_id, ANN)
    assert await ledger.moved() == {}


async def test_a_run_that_is_over_compares_nothing(ledger: RedisLedger, redis_client: Redis) -> None:
    await ledger.begin_reconciliation("first", **DUE)
    await redis_client.delete("mf:reconciling")  # as when its lease ends
    assert await ledger.begin_reconciliation("second", **DUE) is not None
    assert await ledger.compare("first", [], lease=MINUTE, listed=1) is None
    assert await ledger.end_reconciliation("first", listed=Stored(), other=Stored(), drift=Stored()) is None
    await ledger.give_up_reconciliation("first")
    assert await ledger.compare("second", [], lease=MINUTE, listed=1) is not None


async def test_cuts_part_all_uploads_in_order_of_their_keys(ledger: RedisLedger) -> None:
    ids: list[tuple[TenantId, UploadId]] = []
    for name, count in (("a", 5), ("a-b", 1), ("b", 14)):
        tenant = TenantId(name)
        ids += [(tenant, (await created(ledger, tenant=tenant)).upload_id) for _ in range(count)]
    in_order = sorted(ids, key=lambda each: f"{each[0]}/{each[1]}")
    cuts = await ledger.cuts(4)
    assert [in_order.index(cut) for cut in cuts] == [5, 10, 15]
    assert len(await ledger.cuts(100)) == 20
