"""What the ledger promises to whoever steers queues and asks for their figures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from redis.asyncio import Redis

from mediafleet_core.failures import FailureCode
from mediafleet_core.fleet import QueueFigures, WorkerSign
from mediafleet_core.ledger import LedgerSettings, RedisLedger, connect
from mediafleet_core.media_types import MediaKind
from mediafleet_core.ports import UploadFilter, Verdict
from mediafleet_core.uploads import State, Upload
from tests.ledgers import ANN, DAY, LEASE, NOW, claimed, failed, outcome, queued
from tests.waiting import eventually

IMAGE = MediaKind.IMAGE


async def test_work_of_a_paused_kind_is_not_handed_out_until_it_is_resumed(ledger: RedisLedger) -> None:
    uploads = [await queued(ledger) for _ in range(2)]
    running = await claimed(ledger)
    for reason in ("broken model", "again"):
        await ledger.pause(IMAGE, reason)
    assert await ledger.claim([IMAGE], "w", LEASE) is None
    assert await ledger.due() == []
    await ledger.resume(IMAGE)
    await ledger.resume(IMAGE)
    assert await ledger.due() == [IMAGE]
    assert (await claimed(ledger)).upload.upload_id == uploads[1].upload_id
    assert running.upload.upload_id == uploads[0].upload_id


async def test_what_runs_in_a_paused_kind_goes_on(ledger: RedisLedger) -> None:
    upload = await queued(ledger)
    claim = await claimed(ledger)
    await ledger.pause(IMAGE)
    assert await ledger.renew(upload.upload_id, claim.fence, LEASE) is Verdict.HELD
    assert await ledger.commit(upload.upload_id, claim.fence, outcome()) is not None


async def test_a_pause_takes_in_uploads_and_lets_other_kinds_work(ledger: RedisLedger) -> None:
    await ledger.pause(MediaKind.OTHER)
    upload = await queued(ledger)
    claim = await ledger.claim([MediaKind.OTHER, IMAGE], "w", LEASE)
    assert claim is not None
    assert claim.upload.upload_id == upload.upload_id


async def test_a_retry_that_falls_due_waits_for_the_end_of_a_pause(ledger: RedisLedger) -> None:
    upload = await queued(ledger)
    claim = await claimed(ledger)
    await ledger.pause(IMAGE)
    await ledger.fail_attempt(upload.upload_id, claim.fence, failed(FailureCode.TIMED_OUT, 2))
    assert await ledger.due() == []
    assert await ledger.claim([IMAGE], "w", LEASE) is None
    await ledger.resume(IMAGE)
    assert (await claimed(ledger)).upload.upload_id == upload.upload_id


async def figures(ledger: RedisLedger) -> QueueFigures:
    """Of the queue of images."""
    queues, _ = await ledger.queues()
    return next(each for each in queues if each.kind is IMAGE)


def counts(of: QueueFigures) -> tuple[int, int, int, int]:
    return of.waiting, of.running, of.delayed, of.dead


async def test_figures_follow_an_upload_through_its_queue(ledger: RedisLedger) -> None:
    assert await figures(ledger) == QueueFigures(IMAGE, 0, 0, 0, 0, None, None)
    upload = await queued(ledger)
    found = await figures(ledger)
    assert counts(found) == (1, 0, 0, 0)
    assert found.oldest_age is not None
    claim = await claimed(ledger)
    assert counts(await figures(ledger)) == (0, 1, 0, 0)
    later = failed(FailureCode.TIMED_OUT, 3, timedelta(hours=1))
    await ledger.fail_attempt(upload.upload_id, claim.fence, later)
    found = await figures(ledger)
    assert (counts(found), found.oldest_age) == ((0, 0, 1, 0), None)
    await ledger.delete(upload.upload_id, ANN)
    assert counts(await figures(ledger)) == (0, 0, 0, 0)


async def test_a_retry_that_is_due_counts_as_waiting(ledger: RedisLedger, redis_client: Redis) -> None:
    upload = await queued(ledger)
    claim = await claimed(ledger)
    await ledger.fail_attempt(upload.upload_id, claim.fence, failed(FailureCode.TIMED_OUT, 2))
    _, now = await ledger.queues()
    await redis_client.zadd("mf:delayed:IMAGE", {upload.upload_id: int(now.timestamp() * 1000) - 60_000})
    await queued(ledger)
    found = await figures(ledger)
    assert counts(found) == (2, 0, 0, 0)
    assert found.oldest_age is not None
    assert found.oldest_age >= timedelta(minutes=1)


async def test_dead_is_what_was_given_up_and_is_kept(ledger: RedisLedger) -> None:
    for keep in (True, True, False):
        upload = await queued(ledger)
        claim = await claimed(ledger)
        await ledger.fail_attempt(upload.upload_id, claim.fence, failed(FailureCode.TIMED_OUT, 1, discard=not keep))
    cancelled = await queued(ledger)
    await ledger.cancel(cancelled.upload_id, ANN, "")
    assert counts(await figures(ledger)) == (0, 0, 0, 2)
    dead = (await ledger.list(ANN, UploadFilter(states=frozenset({State.FAILED})), limit=3)).uploads
    kept = [each for each in dead if each.original_key]
    await ledger.retry(kept[0].upload_id, ANN, max_attempts=1)
    assert counts(await figures(ledger)) == (1, 0, 0, 1)
    await ledger.delete(kept[1].upload_id, ANN)
    assert counts(await figures(ledger)) == (1, 0, 0, 0)


async def test_dead_ends_with_the_retention(redis_url: str, redis_client: Redis) -> None:
    ledger = await connect(LedgerSettings(ledger_url=redis_url, retry_retention=NOW))
    upload = await queued(ledger)
    claim = await claimed(ledger)
    await ledger.fail_attempt(upload.upload_id, claim.fence, failed(FailureCode.TIMED_OUT, 1))
    assert counts(await figures(ledger)) == (0, 0, 0, 1)
    await ledger.expire(10)
    assert counts(await figures(ledger)) == (0, 0, 0, 0)
    await ledger.close()


async def test_of_repeated_pauses_the_first_reason_and_time_stand(ledger: RedisLedger) -> None:
    await ledger.pause(IMAGE, "broken model")
    first = (await figures(ledger)).pause
    assert first is not None
    assert first.reason == "broken model"
    await ledger.pause(IMAGE, "again")
    assert (await figures(ledger)).pause == first
    await ledger.resume(IMAGE)
    assert (await figures(ledger)).pause is None


def sign(name: str, *current: Upload) -> WorkerSign:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    return WorkerSign(
        worker_id=name,
        host="h",
        version="1",
        kinds=(IMAGE,),
        slots=2,
        start_time=since,
        current={upload.upload_id: since for upload in current},
    )


async def test_workers_are_shown_with_what_is_still_at_work(ledger: RedisLedger) -> None:
    uploads = [await queued(ledger) for _ in range(2)]
    first, second = [await claimed(ledger) for _ in range(2)]
    await ledger.commit(first.upload.upload_id, first.fence, outcome())
    for name in ("b", "a"):
        await ledger.heartbeat(sign(name, *uploads), DAY)
    found = await ledger.workers()
    assert [each.sign for each in found] == [sign("a", *uploads), sign("b", *uploads)]
    assert [[upload.upload_id for upload in each.uploads] for each in found] == [[second.upload.upload_id]] * 2
    await ledger.depart("a")
    assert [each.sign.worker_id for each in await ledger.workers()] == ["b"]


async def test_a_worker_without_signs_is_forgotten(ledger: RedisLedger, redis_client: Redis) -> None:
    await ledger.heartbeat(sign("a"), timedelta(milliseconds=20))

    async def forgotten() -> bool:
        return await ledger.workers() == []

    await eventually(forgotten)
    await ledger.heartbeat(sign("b"), timedelta(milliseconds=1))
    assert await redis_client.zrange("mf:workers", 0, -1) == [b"b"]
