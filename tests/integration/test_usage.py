"""Usage as callers and administrators ask for it: now and in the past, with quotas, and reconciled with the bucket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest, QuotaFailure
from grpc import StatusCode
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from mediafleet import AsyncClient, Client
from mediafleet.v1 import uploads_pb2
from mediafleet.v1 import usage_pb2 as pb
from mediafleet_core.errors import Reason
from mediafleet_core.usage import Granularity, Operations
from mediafleet_gateway import usage as usage_service
from mediafleet_workers.housekeeping import Housekeeping, HousekeepingSettings
from tests.command_line import mediafleet
from tests.gateways import ANN, Metadata, Reached, bearer, create, refused, running, settings, upload
from tests.intakes import site
from tests.ledgers import ANN as TENANT
from tests.ledgers import LEASE, ledger_at
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("same_hour")

STAFF = bearer("staff")
BUCKET = pb.GetUsageRequest(scope=pb.USAGE_SCOPE_BUCKET)
REFRESHED = pb.GetUsageRequest(scope=pb.USAGE_SCOPE_BUCKET, refresh=True)


@asynccontextmanager
async def housekeeping(redis_url: str, folder: Path) -> AsyncIterator[None]:
    """A housekeeper that reconciles only when it is asked to, after the first time."""
    tick = HousekeepingSettings(
        housekeeping_interval=timedelta(milliseconds=20),
        figures_interval=timedelta(milliseconds=20),
        usage_interval=timedelta(hours=1),
    )
    async with site(redis_url, folder) as place:
        keeper = Housekeeping(place.ledger, place.store, place.queue, tick, job_lease=LEASE)
        stop = asyncio.Event()
        task = asyncio.create_task(keeper.run(stop))
        yield
        stop.set()
        await task


async def usage(reached: Reached, request: pb.GetUsageRequest, metadata: Metadata = STAFF) -> pb.Usage:
    return (await reached.usage.GetUsage(request, metadata=metadata)).usage


async def is_on_the_metrics_page(told: pb.Usage) -> None:
    """The reconciliation that the answer tells of, sooner or later."""
    expected = {
        "mediafleet_usage_drift_bytes": told.drift.bytes,
        "mediafleet_usage_drift_objects": told.drift.objects,
        "mediafleet_reconcile_last_success_timestamp_seconds": told.reconcile_time.ToDatetime(UTC).timestamp(),
        "mediafleet_reconcile_listed_objects": 0,
    }

    async def shown() -> bool:
        return {name: REGISTRY.get_sample_value(name) for name in expected} == expected

    await eventually(shown, message="the reconciliation on the metrics page")


async def test_the_whole_bucket_is_reconciled_when_it_is_asked_for(
    reached: Reached, redis_url: str, tmp_path: Path
) -> None:
    await upload(reached, b"12345", collection="trip")
    await upload(reached, b"123", metadata=bearer("bob"))
    before = await usage(reached, BUCKET)
    assert (before.bytes, before.objects, before.tenant, before.source) == (8, 2, "", pb.USAGE_SOURCE_COUNTERS)
    assert not before.HasField("reconcile_time")
    async with housekeeping(redis_url, tmp_path / "objects"):
        reconciled = await usage(reached, REFRESHED)
        assert (reconciled.bytes, reconciled.drift, reconciled.source) == (
            8,
            pb.StoredAmount(),
            pb.USAGE_SOURCE_RECONCILIATION,
        )
        assert not reconciled.HasField("reconcile_progress")
        await is_on_the_metrics_page(reconciled)
        original = next(path for path in (tmp_path / "objects" / "objects" / "uploads" / "bob").rglob("1"))
        original.unlink()
        again = await usage(reached, REFRESHED)
        assert again.reconcile_time.ToDatetime() > reconciled.reconcile_time.ToDatetime()
        assert again.drift == pb.StoredAmount(bytes=-3, objects=-1)
        await is_on_the_metrics_page(again)
    await upload(reached, b"1")
    later = await usage(reached, BUCKET)
    assert (later.source, later.reconcile_time) == (pb.USAGE_SOURCE_COUNTERS, again.reconcile_time)
    tenants = await usage(reached, pb.GetUsageRequest(), ANN)
    assert not tenants.HasField("drift")
    assert not tenants.HasField("reconcile_time")


async def test_an_old_reconciliation_is_renewed_behind_the_answer(
    redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    at_once = settings(redis_url, tmp_path / "objects", usage={"usage_cache": timedelta(0)})
    async with running(at_once) as reached, housekeeping(redis_url, tmp_path / "objects"):
        first = await usage(reached, REFRESHED)

        async def renewed() -> bool:
            return (await usage(reached, BUCKET)).reconcile_time != first.reconcile_time

        assert await eventually(renewed, message="another reconciliation")


async def test_a_refresh_does_not_wait_for_ever(
    redis_url: str, redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_service, "_MARGIN", 60.0)  # a busy machine takes longer than a second for an answer
    patience = {"usage_refresh_patience": timedelta(milliseconds=300)}
    async with running(settings(redis_url, tmp_path / "objects", usage=patience)) as reached:
        assert not (await usage(reached, REFRESHED)).HasField("reconcile_time")
    async with running(settings(redis_url, tmp_path / "objects")) as reached, ledger_at(redis_url) as ledger:
        await ledger.begin_reconciliation("run", lease=LEASE, every=LEASE, again=LEASE)
        await ledger.compare("run", [], lease=LEASE, listed=7)
        answer = await reached.usage.GetUsage(REFRESHED, metadata=STAFF, timeout=60.3)
    assert answer.usage.reconcile_progress.objects_listed == 7


async def test_usage_asks_no_storage(reached: Reached) -> None:
    def requests() -> float:
        (found,) = (metric for metric in REGISTRY.collect() if metric.name == "mediafleet_storage_requests")
        return sum(sample.value for sample in found.samples)

    await upload(reached, b"12345")
    await usage(reached, pb.GetUsageRequest())
    before = requests()
    for scope in (pb.USAGE_SCOPE_TENANT, pb.USAGE_SCOPE_BUCKET):
        await usage(reached, pb.GetUsageRequest(scope=scope))
    await reached.usage.GetQuota(pb.GetQuotaRequest(), metadata=STAFF)
    await reached.usage.ListUsageHistory(pb.ListUsageHistoryRequest(), metadata=STAFF)
    assert requests() == before
    await usage(reached, pb.GetUsageRequest(refresh=True))
    assert requests() == before + 1


async def test_quotas_are_those_that_refuse(reached: Reached) -> None:
    strict = bearer("strict")
    await create(reached, strict, display_name="a.jpg", size_bytes=400, collection="trip")
    await upload(reached, b"12345", strict, display_name="b.jpg", collection="trip")
    with refused(StatusCode.RESOURCE_EXHAUSTED, Reason.QUOTA_EXCEEDED, QuotaFailure) as refusal:
        for _ in range(2):
            await create(reached, strict, display_name="c.jpg", size_bytes=400)
    quota = (await reached.usage.GetQuota(pb.GetQuotaRequest(collection="trip"), metadata=strict)).quota
    collection, tenant = quota.limits
    assert (tenant.quota_id, tenant.metric, tenant.limit, tenant.used) == ("tenant_bytes", "stored_bytes", 1000, 805)
    assert (collection.quota_id, collection.used) == ("collection_bytes", 405)
    assert refusal.quotas == {tenant.quota_id}
    (alone,) = (await reached.usage.GetQuota(pb.GetQuotaRequest(), metadata=strict)).quota.limits
    assert alone == tenant
    with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest):
        await reached.usage.GetQuota(pb.GetQuotaRequest(collection="A B"), metadata=strict)


async def past(redis: Redis, days: int) -> datetime:
    """So many days with a sample each; the first of them."""
    today = Granularity.DAY.start(datetime.now(UTC))
    for ago in range(1, days + 1):
        start = int((today - timedelta(days=ago)).timestamp() * 1000)
        await redis.zadd("mf:trend:day:ann", {f"{start} {100 - ago} 1 5 1": start})
    return today - timedelta(days=days)


async def test_the_past_is_told_page_by_page(reached: Reached, redis_client: Redis, redis_url: str) -> None:
    first = await past(redis_client, 5)
    await upload(reached, b"12345")
    async with ledger_at(redis_url) as ledger:
        await ledger.count_operations({TENANT: Operations(3, 4)}, op="op")
    request, points = pb.ListUsageHistoryRequest(page_size=4), list[pb.UsagePoint]()
    while True:
        page = await reached.usage.ListUsageHistory(request, metadata=ANN)
        points += page.points
        assert len(page.points) <= 4
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    days = [point.start_time.ToDatetime(UTC) for point in points]
    assert days == [first + timedelta(days=day) for day in range(6)]
    assert [point.originals.bytes for point in points] == [95, 96, 97, 98, 99, 5]
    assert [point.renditions.bytes for point in points] == [5, 5, 5, 5, 5, 0]
    assert (points[-1].class_a_operations, points[-1].class_b_operations) == (3, 4)
    span = uploads_pb2.TimeRange()
    span.start_time.FromDatetime(first + timedelta(hours=1))
    span.end_time.FromDatetime(first + timedelta(days=3))
    some = await reached.usage.ListUsageHistory(pb.ListUsageHistoryRequest(interval=span), metadata=ANN)
    assert [point.originals.bytes for point in some.points] == [96, 97]
    for granularity in pb.UsageGranularity.values():  # the last hour, day and month of the calendar
        span = uploads_pb2.TimeRange(start_time=Timestamp(seconds=253402300799))
        future = pb.ListUsageHistoryRequest(granularity=granularity, interval=span)
        assert not (await reached.usage.ListUsageHistory(future, metadata=ANN)).points


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.ListUsageHistoryRequest(granularity=99), "granularity"),  # type: ignore[arg-type]
        (pb.ListUsageHistoryRequest(scope=99), "scope"),  # type: ignore[arg-type]
        (pb.ListUsageHistoryRequest(collection="trip"), "collection"),
        (pb.ListUsageHistoryRequest(scope=pb.USAGE_SCOPE_COLLECTION), "collection"),
        (pb.ListUsageHistoryRequest(page_size=-1), "page_size"),
        (pb.ListUsageHistoryRequest(page_token="abc"), "page_token"),
        (
            pb.ListUsageHistoryRequest(
                interval=uploads_pb2.TimeRange(start_time=Timestamp(seconds=2), end_time=Timestamp(seconds=1))
            ),
            "interval",
        ),
    ],
)
async def test_wrong_questions_about_the_past_are_refused(
    reached: Reached, request_: pb.ListUsageHistoryRequest, field: str
) -> None:
    with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest) as refusal:
        await reached.usage.ListUsageHistory(request_, metadata=ANN)
    assert refusal.fields == {field}


def _token(metadata: Metadata) -> str:
    return metadata[0][1].removeprefix("Bearer ")


async def test_both_clients_tell_usage_history_and_quota(reached: Reached, redis_client: Redis) -> None:
    first = await past(redis_client, 3)
    await upload(reached, b"12345", collection="trip")
    async with AsyncClient(str(reached.gateway.address), token=_token(ANN)) as client:
        points = [point async for point in client.usage_history(first + timedelta(days=1), granularity="day")]
        assert [point.originals.bytes for point in points] == [98, 99, 5]
        hours = [point async for point in client.usage_history(granularity="hour", collection="trip")]
        assert [point.originals.bytes for point in hours] == [5]
        assert {limit.quota_id for limit in (await client.quota(collection="trip")).limits} == {
            "collection_bytes",
            "tenant_bytes",
        }

    def synchronous() -> None:
        with Client(str(reached.gateway.address), token=_token(ANN)) as plain:
            assert list(plain.usage_history(first + timedelta(days=1))) == points
            assert plain.quota().limits[0].used == 5
            assert plain.usage(collection="trip").bytes == 5

    await asyncio.to_thread(synchronous)


async def test_the_command_line_reconciles_and_tells_the_past(
    reached: Reached, redis_client: Redis, redis_url: str, tmp_path: Path
) -> None:
    await past(redis_client, 3)
    await upload(reached, b"12345", collection="trip")
    address = str(reached.gateway.address)
    async with housekeeping(redis_url, tmp_path / "objects"):
        reconciled, table, history, quota = await asyncio.gather(
            mediafleet("usage", "--bucket", "--refresh", "--json", endpoint=address, token=_token(STAFF)),
            mediafleet("usage", endpoint=address, token=_token(ANN)),
            mediafleet("usage", "history", "--by", "day", endpoint=address, token=_token(ANN)),
            mediafleet("quota", "--collection", "trip", "--json", endpoint=address, token=_token(ANN)),
        )
    assert (reconciled.returncode, reconciled.stderr) == (0, "")
    assert json.loads(reconciled.stdout)["source"] == "USAGE_SOURCE_RECONCILIATION"
    assert "in trip" in table.stdout
    spark, head, *rows = history.stdout.splitlines()
    assert (len(spark), len(rows), head.split()[0]) == (4, 4, "from")
    assert {limit["quota_id"] for limit in json.loads(quota.stdout)["limits"]} == {"collection_bytes", "tenant_bytes"}
