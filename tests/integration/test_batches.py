"""Batches over gRPC, with a real worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest
from grpc import StatusCode
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from mediafleet.v1 import batches_pb2 as pb
from mediafleet.v1 import uploads_pb2
from mediafleet.v1.batches_pb2_grpc import BatchServiceStub
from mediafleet_core.errors import Reason
from mediafleet_core.identity import BatchId, TenantId, UploadId
from mediafleet_core.uploads import State
from tests import gateways
from tests.gateways import ANN, BOB, Reached, create, refused, upload
from tests.waiting import eventually
from tests.workers import Shop, open_shop, settings, working

if TYPE_CHECKING:
    from mediafleet.v1.batches_pb2_grpc import BatchServiceAsyncStub

UNKNOWN = "00000000-0000-7000-8000-000000000000"
SHORT = Duration(nanos=100_000_000)
S = pb.BatchState


@pytest.fixture
def batches(reached: Reached) -> BatchServiceAsyncStub:
    return BatchServiceStub(reached.channel)


@pytest.fixture
async def shop(redis_url: str, reached: Reached, tmp_path: Path) -> AsyncIterator[Shop]:
    """The ledger and the storage of the gateway, where a worker may work."""
    async with open_shop(settings(redis_url, tmp_path)) as opened:
        yield opened


async def opened(batches: BatchServiceAsyncStub, **fields: Any) -> pb.Batch:
    return (await batches.CreateBatch(pb.CreateBatchRequest(**fields), metadata=ANN)).batch


async def sealed(batches: BatchServiceAsyncStub, batch: pb.Batch) -> pb.Batch:
    return (await batches.SealBatch(pb.SealBatchRequest(batch_id=batch.batch_id), metadata=ANN)).batch


async def got(batches: BatchServiceAsyncStub, batch: pb.Batch) -> pb.Batch:
    return (await batches.GetBatch(pb.GetBatchRequest(batch_id=batch.batch_id), metadata=ANN)).batch


async def ended(batches: BatchServiceAsyncStub, batch: pb.Batch) -> pb.Batch:
    async def over() -> pb.Batch | None:
        now = await got(batches, batch)
        return now if now.HasField("finish_time") else None

    found = await eventually(over, message="the batch to end")
    assert found is not None
    return found


async def followed(
    batches: BatchServiceAsyncStub, batch: pb.Batch, after: str = "", most: int = 1000
) -> list[pb.BatchEvent]:
    """Messages of a watch until it ends, or until there are so many."""
    request = pb.WatchBatchRequest(batch_id=batch.batch_id, after_cursor=after, min_interval=SHORT)
    events: list[pb.BatchEvent] = []
    async for event in batches.WatchBatch(request, metadata=ANN):
        events.append(event)
        if len(events) == most:
            break
    return events


async def test_a_watch_that_goes_on_says_so_at_once(reached: Reached, batches: BatchServiceAsyncStub) -> None:
    batch = await opened(batches)
    (first,) = await followed(batches, batch, most=1)
    for after, told in ((first.cursor, True), ("nobody made this", False)):
        counted = {"outcome": "resumed" if told else "snapshot"}
        before = REGISTRY.get_sample_value("mediafleet_watch_resumes_total", counted) or 0.0
        request = pb.WatchBatchRequest(batch_id=batch.batch_id, after_cursor=after)
        watch = batches.WatchBatch(request, metadata=ANN)
        headers = await asyncio.wait_for(watch.initial_metadata(), 60)
        assert (("mediafleet-watch", "resumed") in tuple(headers)) is told
        assert REGISTRY.get_sample_value("mediafleet_watch_resumes_total", counted) == before + 1
        watch.cancel()


async def report(batches: BatchServiceAsyncStub, batch: pb.Batch) -> list[pb.BatchReportRow]:
    request = pb.ExportBatchReportRequest(batch_id=batch.batch_id)
    return [row async for row in batches.ExportBatchReport(request, metadata=ANN)]


async def test_a_batch_from_its_opening_to_its_report(
    reached: Reached, batches: BatchServiceAsyncStub, shop: Shop
) -> None:
    batch = await opened(batches, display_name="holiday", collection="trip", labels={"year": "2026"}, expected_items=3)
    assert (batch.state, batch.display_name, batch.expected_items) == (S.BATCH_STATE_OPEN, "holiday", 3)
    watch = asyncio.create_task(followed(batches, batch))
    async with working(shop.settings):
        good = [await upload(reached, b"fine", batch_id=batch.batch_id, display_name=f"{n}.bin") for n in range(2)]
        bad = await upload(reached, b"POISON:fail\n", batch_id=batch.batch_id)
        assert {each.collection for each in (*good, bad)} == {"trip"}
        await sealed(batches, batch)
        done = await ended(batches, batch)
        events = await asyncio.wait_for(watch, 60)
    counts = done.progress.counts
    assert (done.state, counts.succeeded, counts.failed, counts.total) == (S.BATCH_STATE_PARTIALLY_FAILED, 2, 1, 3)
    assert (done.progress.percent, done.progress.bytes_done, done.progress.bytes_total) == (100, 20, 20)
    assert events[0].snapshot.batch_id == batch.batch_id
    changes = [event for event in events if event.HasField("state_changed")]
    told = [(event.sequence, event.state_changed.state) for event in changes]
    assert told == [(2, S.BATCH_STATE_SEALED), (3, S.BATCH_STATE_PARTIALLY_FAILED)]
    assert events[-1] is changes[-1]
    assert events[-1].state_changed.batch == done
    percents = [event.progress.percent for event in events if event.HasField("progress")]
    assert percents == sorted(percents)
    rows = await report(batches, batch)
    assert [(row.upload_id, row.state) for row in rows] == [
        (each.upload_id, state)
        for each, state in zip(
            (*good, bad),
            [uploads_pb2.UPLOAD_STATE_SUCCEEDED] * 2 + [uploads_pb2.UPLOAD_STATE_FAILED],
            strict=True,
        )
    ]
    assert (rows[2].failure.code, rows[0].checksums.sha256 != b"") == ("CORRUPT_MEDIA", True)
    late = await followed(batches, batch)
    assert [event.WhichOneof("event") for event in late] == ["snapshot"]
    assert late[0].snapshot == done


async def test_a_watch_goes_on_behind_its_cursor_on_any_gateway(
    reached: Reached, batches: BatchServiceAsyncStub, redis_url: str, tmp_path: Path
) -> None:
    batch = await opened(batches)
    (first,) = await followed(batches, batch, most=1)
    await create(reached, batch_id=batch.batch_id)
    await sealed(batches, batch)
    async with gateways.running(gateways.settings(redis_url, tmp_path / "objects")) as other:
        elsewhere = BatchServiceStub(other.channel)
        event, *_ = await followed(elsewhere, batch, after=first.cursor, most=1)
        assert (event.sequence, event.state_changed.previous_state) == (2, S.BATCH_STATE_OPEN)
        # Neither lost nor repeated: behind that there is only progress to tell.
        await elsewhere.CancelBatch(pb.CancelBatchRequest(batch_id=batch.batch_id), metadata=ANN)
        rest = await followed(batches, batch, after=event.cursor)
        assert [change.sequence for change in rest if change.HasField("state_changed")] == [3]
        assert await followed(batches, batch, after=rest[-1].cursor) == []
        for useless in ("nonsense", first.cursor[:-4]):
            assert (await followed(elsewhere, batch, after=useless, most=1))[0].HasField("snapshot")


async def test_a_quiet_watch_lives(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    quick = gateways.settings(redis_url, tmp_path / "objects", gateway={"watch_heartbeat": timedelta(milliseconds=50)})
    async with gateways.running(quick) as reached:
        batches = BatchServiceStub(reached.channel)
        batch = await opened(batches)
        _, beat = await followed(batches, batch, most=2)
    assert (beat.HasField("heartbeat"), beat.sequence, beat.cursor != "") == (True, 0, True)


async def test_a_cancel_ends_members_wherever_they_are(
    reached: Reached, batches: BatchServiceAsyncStub, shop: Shop
) -> None:
    batch = await opened(batches)
    async with working(shop.settings):
        running = await upload(reached, b"POISON:sleep\n", batch_id=batch.batch_id)
        await shop.reaches(UploadId(running.upload_id), State.PROCESSING)
        now = await got(batches, batch)
        assert [item.upload_id for item in now.progress.running_items] == [running.upload_id]
        await create(reached, batch_id=batch.batch_id)
        request = pb.CancelBatchRequest(batch_id=batch.batch_id, reason="enough")
        assert (await batches.CancelBatch(request, metadata=ANN)).batch.state != S.BATCH_STATE_OPEN
        done = await ended(batches, batch)
    assert (done.state, done.progress.counts.cancelled) == (S.BATCH_STATE_CANCELLED, 2)
    assert len(await report(batches, batch)) == 2
    with refused(StatusCode.FAILED_PRECONDITION, Reason.BATCH_SEALED):
        await create(reached, batch_id=batch.batch_id)


async def test_a_retry_takes_up_what_failed(reached: Reached, batches: BatchServiceAsyncStub, shop: Shop) -> None:
    batch = await opened(batches)
    async with working(shop.settings):
        good = await upload(reached, b"fine", batch_id=batch.batch_id)
        bad = await upload(reached, b"POISON:fail\n", batch_id=batch.batch_id)
        await sealed(batches, batch)
        await ended(batches, batch)
        answer = await batches.RetryBatch(pb.RetryBatchRequest(batch_id=batch.batch_id), metadata=ANN)
        assert (answer.retried_items, answer.batch.state) == (1, S.BATCH_STATE_SEALED)
        await ended(batches, batch)
    series = [(await shop.ledger.get(UploadId(each.upload_id))).progress.series for each in (good, bad)]
    assert series == [1, 2]


async def test_housekeeping_carries_on_what_a_gateway_left(
    reached: Reached, batches: BatchServiceAsyncStub, redis_url: str, tmp_path: Path
) -> None:
    batch = await opened(batches)
    await create(reached, batch_id=batch.batch_id)
    keeping = settings(redis_url, tmp_path, batch_patience=timedelta(milliseconds=50))
    async with open_shop(keeping) as shop, working(keeping):
        # The first step of a cancel, and then its gateway is gone.
        await shop.ledger.cancel_batch(BatchId(batch.batch_id), TenantId("ann"), "")
        assert (await ended(batches, batch)).state == S.BATCH_STATE_CANCELLED


async def test_batches_are_listed_page_by_page(batches: BatchServiceAsyncStub) -> None:
    made = [await opened(batches, display_name=f"Batch {n}", labels={"n": str(n % 2)}) for n in range(5)]
    await batches.CreateBatch(pb.CreateBatchRequest(), metadata=BOB)
    request = pb.ListBatchesRequest(page_size=2, order_by="create_time")
    seen: list[pb.Batch] = []
    while True:
        page = await batches.ListBatches(request, metadata=ANN)
        assert page.total_size == 5
        seen += page.batches
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert seen == made
    odd = pb.ListBatchesRequest(filter=pb.BatchFilter(labels={"n": "1"}, text="BATCH"))
    assert list((await batches.ListBatches(odd, metadata=ANN)).batches) == [made[3], made[1]]
    request.filter.text = "another"
    with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest) as refusal:
        request.page_token = (
            await batches.ListBatches(pb.ListBatchesRequest(page_size=1), metadata=ANN)
        ).next_page_token
        await batches.ListBatches(request, metadata=ANN)
    assert refusal.fields == {"page_token"}


async def test_one_request_makes_one_batch(batches: BatchServiceAsyncStub) -> None:
    made = await asyncio.gather(*(opened(batches, request_id="r", display_name="a") for _ in range(50)))
    assert len({batch.batch_id for batch in made}) == 1
    with refused(StatusCode.FAILED_PRECONDITION, Reason.REQUEST_ID_REUSED):
        await opened(batches, request_id="r", display_name="b")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.CreateBatchRequest(display_name="a\nb"), "display_name"),
        (pb.CreateBatchRequest(display_name="a" * 256), "display_name"),
        (pb.CreateBatchRequest(collection="No!"), "collection"),
        (pb.CreateBatchRequest(labels={"No!": ""}), "labels"),
        (pb.CreateBatchRequest(expected_items=-1), "expected_items"),
        (pb.CreateBatchRequest(request_id="a" * 129), "request_id"),
        (pb.SealBatchRequest(batch_id="mine"), "batch_id"),
        (pb.GetBatchRequest(), "batch_id"),
        (pb.CancelBatchRequest(batch_id=UNKNOWN, reason="a" * 501), "reason"),
        (pb.RetryBatchRequest(batch_id="mine"), "batch_id"),
        (pb.ListBatchesRequest(page_size=-1), "page_size"),
        (pb.ListBatchesRequest(order_by="name"), "order_by"),
        (pb.ListBatchesRequest(page_token="nonsense"), "page_token"),
        (pb.ListBatchesRequest(filter=pb.BatchFilter(states=[99])), "filter.states"),  # type: ignore[list-item]
        (pb.ListBatchesRequest(filter=pb.BatchFilter(collection="No!")), "filter.collection"),
    ],
)
async def test_wrong_fields_are_named(batches: BatchServiceAsyncStub, request_: Any, field: str) -> None:
    method = getattr(batches, type(request_).__name__.removesuffix("Request"))
    with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest) as refusal:
        await method(request_, metadata=ANN)
    assert refusal.fields == {field}


async def test_what_is_not_there_or_not_ours_is_not_found(batches: BatchServiceAsyncStub) -> None:
    ours = await opened(batches)
    for batch_id, who in ((UNKNOWN, ANN), (ours.batch_id, BOB)):
        for method in ("SealBatch", "GetBatch", "CancelBatch", "RetryBatch"):
            request = getattr(pb, f"{method}Request")(batch_id=batch_id)
            with refused(StatusCode.NOT_FOUND, Reason.BATCH_NOT_FOUND):
                await getattr(batches, method)(request, metadata=who)
        for method in ("WatchBatch", "ExportBatchReport"):
            request = getattr(pb, f"{method}Request")(batch_id=batch_id)
            with refused(StatusCode.NOT_FOUND, Reason.BATCH_NOT_FOUND):
                await getattr(batches, method)(request, metadata=who).read()


async def test_what_has_ended_cannot_be_cancelled(batches: BatchServiceAsyncStub) -> None:
    batch = await sealed(batches, await opened(batches))
    assert batch.state == S.BATCH_STATE_SUCCEEDED  # empty
    with refused(StatusCode.FAILED_PRECONDITION, Reason.BATCH_TERMINAL):
        await batches.CancelBatch(pb.CancelBatchRequest(batch_id=batch.batch_id), metadata=ANN)
