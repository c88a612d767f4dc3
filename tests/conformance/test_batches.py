"""What the ledger promises of batches, against a real Redis."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from mediafleet_core.batch_watching import BatchChanged, BatchMessage, BatchProgressed, BatchSnapshot, BatchWatching
from mediafleet_core.batches import Batch, BatchSpec, BatchState, BatchView
from mediafleet_core.batching import Batching, sweep_batch
from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.events import Heartbeat
from mediafleet_core.failures import FailureCode
from mediafleet_core.identity import BatchId, TenantId, new_batch_id
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.media_types import MediaKind
from mediafleet_core.ports import BatchFilter
from mediafleet_core.uploads import State, Upload, UploadSpec
from tests.bells import Bells
from tests.ledgers import ANN, BOB, NOW, claimed, created, failed, outcome, queued
from tests.waiting import eventually

OPENED = BatchSpec(display_name="holiday", collection="trip", labels={"year": "2026"}, expected_items=4)


@pytest.fixture
def bells() -> Bells:
    return Bells()


@pytest.fixture
def batching(ledger: RedisLedger, bells: Bells) -> Batching:
    return Batching(ledger, bells, max_attempts=3)


def member(batch: Batch, **more: object) -> UploadSpec:
    values = {"display_name": "a.jpg", "content_type": "image/jpeg", "size_bytes": 1000, "batch_id": batch.batch_id}
    return UploadSpec(**(values | more))  # type: ignore[arg-type]


async def read(ledger: RedisLedger, batch: Batch) -> Batch:
    return (await ledger.batch(batch.batch_id, ANN)).batch


async def states(ledger: RedisLedger, batch: Batch) -> list[str]:
    view = await ledger.batch(batch.batch_id, ANN)
    assert [change.sequence for change in view.changes] == list(range(1, len(view.changes) + 1))
    assert view.changes[-1].state is view.batch.state
    return [change.state.value for change in view.changes]


async def succeed(ledger: RedisLedger) -> Upload:
    claim = await claimed(ledger)
    done = await ledger.commit(claim.upload.upload_id, claim.fence, outcome())
    assert done is not None
    return done


async def fail(ledger: RedisLedger) -> Upload:
    claim = await claimed(ledger)
    done = await ledger.fail_attempt(claim.upload.upload_id, claim.fence, failed(FailureCode.CORRUPT_MEDIA, 1))
    assert done is not None
    assert done.state is State.FAILED
    return done


async def refusal(awaitable: object) -> Reason:
    with pytest.raises(MediafleetError) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value.reason


async def test_counters_move_with_the_members(ledger: RedisLedger, batching: Batching) -> None:
    batch = await batching.create(ANN, OPENED)
    assert (batch.state, batch.sequence, batch.total, batch.percent) == (BatchState.OPEN, 1, 0, 0)
    first = await created(ledger, member(batch))
    assert first.spec.collection == "trip"  # the batch's
    await queued(ledger, member(batch))
    now = await read(ledger, batch)
    assert (now.counts[State.RECEIVING], now.counts[State.QUEUED], now.total) == (1, 1, 2)
    assert (now.bytes_done, now.bytes_total) == (1000, 2000)
    claim = await claimed(ledger)
    view = await ledger.batch(batch.batch_id, ANN)
    assert [upload.upload_id for upload in view.running] == [claim.upload.upload_id]
    await ledger.commit(claim.upload.upload_id, claim.fence, outcome())
    view = await ledger.batch(batch.batch_id, ANN)
    assert (view.running, view.batch.ended, view.batch.percent) == ((), 1, 25)  # of the four announced
    assert (await ledger.usage(ANN, "trip")).total.objects == 2


async def test_a_sealed_batch_ends_with_its_last_member_once(ledger: RedisLedger, batching: Batching) -> None:
    batch = await batching.create(ANN, OPENED)
    for _ in range(2):
        await queued(ledger, member(batch))
    await succeed(ledger)
    await batching.seal(batch.batch_id, ANN)
    assert await refusal(created(ledger, member(batch))) is Reason.BATCH_SEALED
    assert (await read(ledger, batch)).percent == 50  # nobody waits for those that never came
    await fail(ledger)
    await batching.seal(batch.batch_id, ANN)  # again, and nothing happens
    assert await states(ledger, batch) == ["OPEN", "SEALED", "PARTIALLY_FAILED"]
    now = await read(ledger, batch)
    assert (now.percent, now.finish_time is not None, now.eta_seconds) == (100, True, None)


@pytest.mark.parametrize(("good", "bad", "end"), [(0, 0, "SUCCEEDED"), (2, 0, "SUCCEEDED"), (0, 2, "FAILED")])
async def test_how_batches_end(ledger: RedisLedger, batching: Batching, good: int, bad: int, end: str) -> None:
    batch = await batching.create(ANN, BatchSpec())
    for _ in range(good + bad):
        await queued(ledger, member(batch))
    for _ in range(good):
        await succeed(ledger)
    for _ in range(bad):
        await fail(ledger)
    assert (await batching.seal(batch.batch_id, ANN)).state == end


async def test_a_batch_is_made_once_for_one_request(batching: Batching) -> None:
    made = await asyncio.gather(*(batching.create(ANN, OPENED, request_id="r") for _ in range(50)))
    assert len({batch.batch_id for batch in made}) == 1
    assert await refusal(batching.create(ANN, BatchSpec(), request_id="r")) is Reason.REQUEST_ID_REUSED


async def test_a_cancelled_batch_starts_nothing_more(ledger: RedisLedger, batching: Batching, bells: Bells) -> None:
    batch = await batching.create(ANN, BatchSpec())
    done = await queued(ledger, member(batch))
    await succeed(ledger)
    running = await queued(ledger, member(batch))
    claim = await claimed(ledger)
    waiting, receiving = await queued(ledger, member(batch)), await created(ledger, member(batch))
    stranger = await queued(ledger)
    # The flag alone: nobody has looked at the members yet.
    assert (await ledger.cancel_batch(batch.batch_id, ANN, "enough")).state is BatchState.SEALED
    assert (await claimed(ledger)).upload.upload_id == stranger.upload_id
    assert (await ledger.get(waiting.upload_id)).state is State.CANCELLED
    assert await refusal(ledger.retry(waiting.upload_id, ANN, max_attempts=3)) is Reason.BATCH_NOT_FINISHED
    assert await refusal(batching.retry(batch.batch_id, ANN)) is Reason.BATCH_NOT_FINISHED
    await sweep_batch(ledger, bells, batch.batch_id)
    told = [(await ledger.get(each.upload_id)).state for each in (done, running, waiting, receiving)]
    assert told == [State.SUCCEEDED, State.CANCELLING, State.CANCELLED, State.CANCELLED]
    await ledger.release(running.upload_id, claim.fence)
    assert await states(ledger, batch) == ["OPEN", "SEALED", "CANCELLED"]
    assert (await ledger.get(waiting.upload_id)).failure.detail == "enough"  # type: ignore[union-attr]
    assert (await batching.cancel(batch.batch_id, ANN, "")).state is BatchState.CANCELLED
    assert await ledger.claim([MediaKind.IMAGE], "w", timedelta(seconds=30)) is None


async def test_a_batch_that_has_ended_cannot_be_cancelled(batching: Batching) -> None:
    batch = await batching.create(ANN, BatchSpec())
    await batching.seal(batch.batch_id, ANN)
    assert await refusal(batching.cancel(batch.batch_id, ANN, "")) is Reason.BATCH_TERMINAL


async def test_a_retry_runs_what_failed_and_nothing_else(ledger: RedisLedger, batching: Batching, bells: Bells) -> None:
    batch = await batching.create(ANN, BatchSpec())
    for _ in range(250):
        await queued(ledger, member(batch))
    bad = {(await fail(ledger)).upload_id for _ in range(230)}
    for _ in range(20):
        await succeed(ledger)
    await batching.seal(batch.batch_id, ANN)
    retried = await batching.retry(batch.batch_id, ANN)
    assert (retried.members, retried.batch.state) == (230, BatchState.SEALED)
    assert bells.rung == {MediaKind.IMAGE}
    again = {(await succeed(ledger)).upload_id for _ in range(230)}
    assert again == bad
    assert await states(ledger, batch) == ["OPEN", "SEALED", "PARTIALLY_FAILED", "SEALED", "SUCCEEDED"]
    assert (await batching.retry(batch.batch_id, ANN)).members == 0
    assert (await read(ledger, batch)).state is BatchState.SUCCEEDED


async def test_a_retry_that_finds_nothing_to_try_changes_nothing(ledger: RedisLedger, batching: Batching) -> None:
    batch = await batching.create(ANN, BatchSpec())
    await queued(ledger, member(batch))
    claim = await claimed(ledger)
    gone = failed(FailureCode.OBJECT_CHECKSUM_MISMATCH, 1, discard=True)
    await ledger.fail_attempt(claim.upload.upload_id, claim.fence, gone)
    await batching.seal(batch.batch_id, ANN)
    assert (await batching.retry(batch.batch_id, ANN)).members == 0
    assert await states(ledger, batch) == ["OPEN", "SEALED", "FAILED"]


async def test_members_that_end_during_a_retry_end_the_batch_only_after_it(
    ledger: RedisLedger, batching: Batching
) -> None:
    batch = await batching.create(ANN, BatchSpec())
    for _ in range(3):
        await queued(ledger, member(batch))
        await fail(ledger)
    await batching.seal(batch.batch_id, ANN)
    await ledger.retry_batch(batch.batch_id, ANN, max_attempts=3)
    for done in (False, False, False, True):
        swept = await ledger.sweep_batch(batch.batch_id, limit=1)
        assert swept.done is done
        if not done:
            await succeed(ledger)
            assert (await read(ledger, batch)).state is BatchState.SEALED
    assert await states(ledger, batch) == ["OPEN", "SEALED", "FAILED", "SEALED", "SUCCEEDED"]


async def test_one_member_that_is_tried_again_opens_the_end(ledger: RedisLedger, batching: Batching) -> None:
    batch = await batching.create(ANN, BatchSpec())
    upload = await queued(ledger, member(batch))
    await batching.seal(batch.batch_id, ANN)
    await fail(ledger)
    await ledger.retry(upload.upload_id, ANN, max_attempts=3)
    await succeed(ledger)
    assert await states(ledger, batch) == ["OPEN", "SEALED", "FAILED", "SEALED", "SUCCEEDED"]


async def test_deleted_members_keep_their_row(ledger: RedisLedger, batching: Batching) -> None:
    batch = await batching.create(ANN, BatchSpec())
    uploads = [await queued(ledger, member(batch, display_name=f"{n}.jpg")) for n in range(3)]
    done = await succeed(ledger)
    await batching.seal(batch.batch_id, ANN)
    await ledger.delete(done.upload_id, ANN)
    await ledger.delete(uploads[2].upload_id, ANN)  # still waiting: that counts as cancelled
    await fail(ledger)
    rows = [row async for row in ledger.members(batch.batch_id, ANN)]
    told = [(row.upload.spec.display_name, row.upload.state.value, row.deleted) for row in rows]
    assert told == [("0.jpg", "SUCCEEDED", True), ("1.jpg", "FAILED", False), ("2.jpg", "CANCELLED", True)]
    now = await read(ledger, batch)
    assert (now.state, now.total, now.counts[State.CANCELLED]) == (BatchState.PARTIALLY_FAILED, 3, 1)


async def test_idle_batches_are_sealed_and_sweeps_that_nobody_continues_are_found(
    ledger: RedisLedger, redis_client: Redis
) -> None:
    idle, used = [await ledger.create_batch(new_batch_id(), ANN, BatchSpec()) for _ in range(2)]
    for batch in (idle, used):
        await redis_client.zadd("mf:batches_open", {batch.batch_id: 0})
    await created(ledger, member(used))
    await ledger.idle_batches(timedelta(days=7), NOW, 100)
    assert (await read(ledger, idle)).state is BatchState.SUCCEEDED
    assert (await read(ledger, used)).state is BatchState.OPEN
    await ledger.cancel_batch(used.batch_id, ANN, "")
    assert await ledger.idle_batches(timedelta(days=7), timedelta(days=1), 100) == []
    assert await ledger.idle_batches(timedelta(days=7), NOW, 100) == [used.batch_id]


async def test_batches_are_listed_by_what_is_asked(ledger: RedisLedger, batching: Batching) -> None:
    made = [await batching.create(ANN, BatchSpec(display_name=f"Batch {n}")) for n in range(7)]
    await batching.create(BOB, BatchSpec())
    await batching.seal(made[3].batch_id, ANN)
    page = await ledger.list_batches(ANN, BatchFilter(), limit=4)
    assert [batch.batch_id for batch in page.batches] == [batch.batch_id for batch in made[:2:-1]]
    rest = await ledger.list_batches(ANN, BatchFilter(), limit=4, after=page.next_after)
    assert ([batch.batch_id for batch in rest.batches], rest.next_after) == (
        [each.batch_id for each in made[2::-1]],
        "",
    )
    oldest = await ledger.list_batches(ANN, BatchFilter(text="batch"), limit=1, oldest_first=True)
    assert (oldest.batches[0].batch_id, oldest.total) == (made[0].batch_id, 7)
    ended = await ledger.list_batches(ANN, BatchFilter(states=frozenset({BatchState.SUCCEEDED})), limit=10)
    assert [batch.batch_id for batch in ended.batches] == [made[3].batch_id]


async def test_nobody_sees_or_joins_the_batch_of_another_tenant(ledger: RedisLedger, batching: Batching) -> None:
    batch = await batching.create(ANN, BatchSpec())
    for attempt in (
        ledger.batch(batch.batch_id, BOB),
        ledger.seal_batch(batch.batch_id, BOB),
        ledger.cancel_batch(batch.batch_id, BOB, ""),
        ledger.retry_batch(batch.batch_id, BOB, max_attempts=3),
        created(ledger, member(batch), BOB),
        ledger.batch(BatchId("nope"), ANN),
    ):
        assert await refusal(attempt) is Reason.BATCH_NOT_FOUND


async def test_an_end_beyond_reckoning_is_not_told(ledger: RedisLedger, batching: Batching) -> None:
    batch = await batching.create(ANN, BatchSpec(expected_items=1 << 40))
    for _ in range(2):
        await ledger.cancel((await created(ledger, member(batch))).upload_id, ANN, "")
    await asyncio.sleep(0.01)
    now = await read(ledger, batch)
    assert now.items_per_second > 0
    assert now.eta_seconds is None


class Remembered:
    """A ledger that answers with what a batch was at one moment after the other, at last always the same."""

    def __init__(self, *views: BatchView) -> None:
        self._views = list(views)

    async def batch(self, batch_id: BatchId, tenant: TenantId) -> BatchView:
        return self._views.pop(0) if len(self._views) > 1 else self._views[0]


async def test_who_wants_progress_seldom_is_told_of_changes_at_once(ledger: RedisLedger, batching: Batching) -> None:
    batch = await batching.create(ANN, BatchSpec())
    events = BatchWatching(ledger).watch(
        batch.batch_id, ANN, min_interval=timedelta(minutes=1), heartbeat=timedelta(milliseconds=300)
    )
    kinds = []
    async with asyncio.timeout(60):
        async for message in events:
            kinds.append(type(message.event))
            if len(kinds) == 3:
                await batching.seal(batch.batch_id, ANN)
            elif len(kinds) < 3:
                await created(ledger, member(batch))
            elif kinds[-1] is BatchChanged:
                await batching.cancel(batch.batch_id, ANN, "")
    assert kinds[:3] == [BatchSnapshot, BatchProgressed, Heartbeat]
    assert kinds.count(BatchProgressed) == 1
    assert kinds[-1] is BatchChanged


async def test_who_is_told_the_same_gets_the_same_message(ledger: RedisLedger, batching: Batching) -> None:
    batch = await batching.create(ANN, BatchSpec())
    watching, watchers = BatchWatching(ledger), 20

    async def ending(snapshots: list[BatchMessage]) -> list[BatchMessage]:
        events = watching.watch(batch.batch_id, ANN, min_interval=NOW, heartbeat=timedelta(minutes=1))
        snapshots.append(await anext(events))
        return [message async for message in events]

    seen: list[BatchMessage] = []
    following = [asyncio.create_task(ending(seen)) for _ in range(watchers)]

    async def all_follow() -> bool:
        return len(seen) == watchers

    await eventually(all_follow)
    await batching.seal(batch.batch_id, ANN)
    told = await asyncio.wait_for(asyncio.gather(*following), 60)
    assert {tuple(type(message.event) for message in messages) for messages in told} == {(BatchChanged, BatchChanged)}
    assert len({id(message) for messages in told for message in messages}) < watchers


async def test_an_end_that_the_ledger_went_back_to_is_told(ledger: RedisLedger, batching: Batching) -> None:
    batch = await batching.create(ANN, BatchSpec())
    await queued(ledger, member(batch))
    await batching.seal(batch.batch_id, ANN)
    await fail(ledger)
    ended = await ledger.batch(batch.batch_id, ANN)
    await batching.retry(batch.batch_id, ANN)
    retried = await ledger.batch(batch.batch_id, ANN)
    watching = BatchWatching(Remembered(retried, ended))  # type: ignore[arg-type]
    events = watching.watch(batch.batch_id, ANN, min_interval=NOW, heartbeat=timedelta(minutes=1))
    told = [message.event async for message in events]
    assert told == [BatchSnapshot(retried), BatchSnapshot(ended)]
