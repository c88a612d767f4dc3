"""What the ledger promises, step by step, against a real Redis."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.events import Deleted, StateChanged
from mediafleet_core.failures import MAX_LOST_LEASES, FailureCode
from mediafleet_core.identity import TenantId, UploadId, new_upload_id
from mediafleet_core.ledger import LedgerSettings, RedisLedger, connect
from mediafleet_core.ledger.connection import Connection, Reply
from mediafleet_core.media_types import MediaKind
from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.parts import MIB, PARTS_IN_FLIGHT, Part, Tail
from mediafleet_core.ports import (
    RequestKey,
    UploadFilter,
    Verdict,
)
from mediafleet_core.progress import RECEIVED_PERCENT, WorkProgress
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import StageTiming, State, Transfer, UploadSpec
from mediafleet_core.usage import Stored
from tests.ledgers import ANN, BOB, DAY, LEASE, LIMITS, NOW, SPEC, claimed, created, failed, finished, outcome, queued
from tests.waiting import eventually


async def refused(awaitable: object) -> MediafleetError:
    with pytest.raises(MediafleetError) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value


async def stored(ledger: RedisLedger, tenant: TenantId = ANN) -> tuple[Stored, int]:
    usage = await ledger.usage(tenant)
    return usage.total, usage.reserved_bytes


async def test_the_whole_way_of_an_upload(ledger: RedisLedger) -> None:
    upload = await created(ledger)
    assert (upload.state, upload.sequence, upload.revision) == (State.RECEIVING, 1, 1)
    assert await stored(ledger) == (Stored(), 1000)
    session = await ledger.open_write(upload.upload_id, ANN, 0)
    upload = await finished(ledger, upload, session.fence)
    assert (upload.state, upload.progress.percent, upload.committed_size) == (State.QUEUED, RECEIVED_PERCENT, 1000)
    assert await stored(ledger) == (Stored(1000, 1), 0)
    claim = await claimed(ledger)
    assert (claim.upload.upload_id, claim.upload.state, claim.upload.attempt) == (upload.upload_id, State.PROCESSING, 1)
    progress = WorkProgress(percent=80, stage="process", step="decode")
    assert await ledger.renew(upload.upload_id, claim.fence, LEASE, progress) is Verdict.HELD
    assert (await ledger.get(upload.upload_id)).progress.percent == 80
    done = await ledger.commit(upload.upload_id, claim.fence, outcome())
    assert done is not None
    assert (done.state, done.progress.percent, done.progress.work_percent) == (State.SUCCEEDED, 100, 100)
    assert await stored(ledger) == (Stored(1010, 2), 0)
    usage = await ledger.usage(ANN, "trip")
    assert (usage.originals[MediaKind.IMAGE], usage.renditions[MediaKind.IMAGE]) == (Stored(1000, 1), Stored(10, 1))
    history = await ledger.history(upload.upload_id, ANN)
    states = [entry.state for _, entry in history.entries if isinstance(entry, StateChanged)]
    assert states == [State.RECEIVING, State.QUEUED, State.PROCESSING, State.SUCCEEDED]
    assert [entry.sequence for _, entry in history.entries] == [1, 2, 3, 4]


async def test_a_request_id_makes_one_upload_however_often_it_is_sent(ledger: RedisLedger) -> None:
    request = RequestKey("CreateUpload", "r1", "digest")

    async def create(key: RequestKey) -> UploadId:
        session = await ledger.create(new_upload_id(), ANN, SPEC, limits=LIMITS, request=key, expires_in=DAY)
        return session.upload.upload_id

    ids = await asyncio.gather(*(create(request) for _ in range(50)))
    assert len(set(ids)) == 1
    assert await stored(ledger) == (Stored(), 1000)
    other = RequestKey("CreateUpload", "r1", "another digest")
    assert (await refused(create(other))).reason is Reason.REQUEST_ID_REUSED


async def test_checking_a_creation_changes_nothing(ledger: RedisLedger, redis_client: Redis) -> None:
    before = await redis_client.dbsize()
    assert await ledger.check_create(ANN, SPEC, limits=LIMITS) is None
    assert await redis_client.dbsize() == before
    small = Limits(tenant_bytes=999)
    assert (await refused(ledger.check_create(ANN, SPEC, limits=small))).reason is Reason.QUOTA_EXCEEDED


async def test_reservations_count_against_both_quotas(ledger: RedisLedger) -> None:
    limits = Limits(collection_bytes=1500)
    await ledger.create(new_upload_id(), ANN, SPEC, limits=limits, expires_in=DAY)
    error = await refused(ledger.create(new_upload_id(), ANN, SPEC, limits=limits, expires_in=DAY))
    assert error.reason is Reason.QUOTA_EXCEEDED
    assert [quota.quota_id for quota in error.quotas] == ["collection_bytes"]
    await ledger.create(new_upload_id(), BOB, SPEC, limits=limits, expires_in=DAY)


async def test_an_unknown_batch_is_refused(ledger: RedisLedger) -> None:
    spec = UploadSpec(display_name="a", batch_id="nope")  # type: ignore[arg-type]
    assert (await refused(created(ledger, spec))).reason is Reason.BATCH_NOT_FOUND


async def test_a_newer_writer_fences_out_the_older_one(ledger: RedisLedger) -> None:
    upload = await created(ledger)
    old = await ledger.open_write(upload.upload_id, ANN, 0)
    await ledger.attach_multipart(upload.upload_id, old.fence, "key", "mp")
    part = Part(number=1, offset=0, size=400, crc32c=1, etag="e1")
    assert await ledger.record_part(upload.upload_id, old.fence, part, limits=LIMITS) == 400
    new = await ledger.open_write(upload.upload_id, ANN, 400)
    assert new.parts == (part,)
    assert (new.multipart_key, new.multipart_id) == ("key", "mp")
    assert new.next_number > part.number + PARTS_IN_FLIGHT
    late = Part(number=2, offset=400, size=400, crc32c=1, etag="e2")
    error = await refused(ledger.record_part(upload.upload_id, old.fence, late, limits=LIMITS))
    assert (error.reason, error.metadata) == (Reason.CONCURRENT_WRITER, {"committedSize": "400"})
    assert (await refused(finished(ledger, upload, old.fence))).reason is Reason.CONCURRENT_WRITER
    error = await refused(ledger.open_write(upload.upload_id, ANN, 401))
    assert (error.reason, error.metadata) == (Reason.WRITE_OFFSET_AHEAD, {"committedSize": "400"})


async def test_a_tail_counts_until_a_part_covers_it(ledger: RedisLedger) -> None:
    upload = await created(ledger)
    session = await ledger.open_write(upload.upload_id, ANN, 0)
    tail = Tail(key="t", offset=0, size=100, crc32c=5)
    assert await ledger.record_tail(upload.upload_id, session.fence, tail, limits=LIMITS) == 100
    assert (await ledger.open_write(upload.upload_id, ANN, 100)).tail == tail
    session = await ledger.open_write(upload.upload_id, ANN, 100)
    part = Part(number=session.next_number, offset=0, size=800, crc32c=1, etag="e")
    assert await ledger.record_part(upload.upload_id, session.fence, part, limits=LIMITS) == 800
    session = await ledger.open_write(upload.upload_id, ANN, 0)
    assert session.tail is None
    upload = await finished(ledger, upload, session.fence)
    kept = {sweep.prefix.split("/")[-2]: sweep.keep for sweep in await ledger.sweeps(10)}
    assert kept == {"tail": "", "o": upload.original_key}


DIRECT = UploadSpec(display_name="a.jpg", size_bytes=1000, transfer=Transfer.DIRECT)


async def test_a_direct_upload_has_one_multipart_and_one_fence(ledger: RedisLedger) -> None:
    upload = await created(ledger, DIRECT)
    fresh = await ledger.open_direct(upload.upload_id, ANN)
    assert (fresh.fence, fresh.multipart_id, fresh.parts) == (1, "", ())
    first = await ledger.attach_direct(upload.upload_id, ANN, "key", "mp-1", 600)
    second = await ledger.attach_direct(upload.upload_id, ANN, "key", "mp-2", 500)
    assert (first.multipart_id, first.part_size) == (second.multipart_id, second.part_size) == ("mp-1", 600)
    for committed, known in ((600, 600), (0, 600), (1000, 1000)):
        session = await ledger.open_direct(upload.upload_id, ANN, committed=committed)
        assert session.upload.committed_size == known
    parts = (
        Part(number=1, offset=0, size=600, crc32c=1, etag="e1"),
        Part(number=2, offset=600, size=400, crc32c=2, etag="e2"),
    )
    await ledger.seal(upload.upload_id, 1, parts[:1])
    await ledger.seal(upload.upload_id, 1, parts)
    session = await ledger.open_direct(upload.upload_id, ANN)
    assert (session.sealed, session.parts) == (True, parts)
    upload = await finished(ledger, upload, session.fence)
    assert upload.state is State.QUEUED
    again = await ledger.open_direct(upload.upload_id, ANN)
    assert (again.fence, again.multipart_id, again.parts) == (0, "", ())


async def test_the_parts_of_a_session_are_those_of_its_record(
    ledger: RedisLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One gateway ends the upload while another one looks how far it is."""
    upload = await created(ledger, DIRECT)
    await ledger.attach_direct(upload.upload_id, ANN, "key", "mp-1", 1000)
    parts = (Part(number=1, offset=0, size=1000, crc32c=1, etag="e1"),)
    await ledger.seal(upload.upload_id, 1, parts)
    run = Connection.run

    async def run_and_end(self: Connection, name: str, **arguments: object) -> Reply:
        reply = await run(self, name, **arguments)
        monkeypatch.undo()
        await finished(ledger, upload, 1)
        return reply

    monkeypatch.setattr(Connection, "run", run_and_end)
    session = await ledger.open_direct(upload.upload_id, ANN)
    assert (session.sealed, session.parts) == (True, parts)
    assert (await ledger.open_direct(upload.upload_id, ANN)).fence == 0


async def test_bytes_come_in_the_way_that_was_declared(ledger: RedisLedger) -> None:
    streamed, direct = await created(ledger), await created(ledger, DIRECT)
    error = await refused(ledger.open_write(direct.upload_id, ANN, 0))
    assert (error.reason, error.metadata) == (Reason.TRANSFER_MISMATCH, {"transfer": "DIRECT"})
    for call in (
        ledger.open_direct(streamed.upload_id, ANN),
        ledger.attach_direct(streamed.upload_id, ANN, "key", "mp", 600),
    ):
        error = await refused(call)
        assert (error.reason, error.metadata) == (Reason.TRANSFER_MISMATCH, {"transfer": "STREAM"})
    await ledger.cancel(direct.upload_id, ANN, "")
    assert (await refused(ledger.open_direct(direct.upload_id, ANN))).reason is Reason.UPLOAD_CANCELLED
    assert (await refused(ledger.open_direct(direct.upload_id, BOB))).reason is Reason.UPLOAD_NOT_FOUND


async def test_an_import_is_held_by_one_at_a_time(ledger: RedisLedger) -> None:
    spec = UploadSpec(display_name="a.jpg", size_bytes=1000, transfer=Transfer.IMPORT)
    upload = await created(ledger, spec)
    short, long = timedelta(milliseconds=1), timedelta(minutes=1)
    first = await ledger.hold_import(upload.upload_id, ANN, hold=short)
    assert first.fence == 1

    async def taken_over() -> int:
        return (await ledger.hold_import(upload.upload_id, ANN, hold=long)).fence

    assert await eventually(taken_over) == 2
    assert await taken_over() == 0  # held
    error = await refused(ledger.hold_import(upload.upload_id, ANN, hold=long, fence=1))
    assert error.reason is Reason.CONCURRENT_WRITER
    going_on = await ledger.hold_import(upload.upload_id, ANN, hold=NOW, fence=2, committed=500)
    assert (going_on.fence, going_on.upload.committed_size) == (2, 500)
    assert (await ledger.get(upload.upload_id)).progress.percent == RECEIVED_PERCENT / 2
    assert await taken_over() == 3  # let go
    for call in (ledger.open_write(upload.upload_id, ANN, 0), ledger.open_direct(upload.upload_id, ANN)):
        assert (await refused(call)).metadata == {"transfer": "IMPORT"}
    done = await finished(ledger, upload, 3)
    assert (done.state, done.committed_size) == (State.QUEUED, 1000)
    assert await taken_over() == 0
    assert (await refused(ledger.hold_import(upload.upload_id, BOB, hold=long))).reason is Reason.UPLOAD_NOT_FOUND


async def test_an_unknown_size_reserves_part_by_part(ledger: RedisLedger) -> None:
    upload = await created(ledger, UploadSpec(display_name="a.bin"))
    limits = Limits(tenant_bytes=12 * MIB)
    session = await ledger.open_write(upload.upload_id, ANN, 0)
    first = Part(number=1, offset=0, size=8 * MIB, crc32c=1, etag="e")
    await ledger.record_part(upload.upload_id, session.fence, first, limits=limits)
    assert await stored(ledger) == (Stored(), 8 * MIB)
    second = Part(number=2, offset=8 * MIB, size=8 * MIB, crc32c=1, etag="e")
    error = await refused(ledger.record_part(upload.upload_id, session.fence, second, limits=limits))
    assert error.reason is Reason.QUOTA_EXCEEDED
    assert (await ledger.get(upload.upload_id)).committed_size == 8 * MIB


async def test_every_step_answers_a_repeat_with_its_first_result(ledger: RedisLedger) -> None:
    upload = await created(ledger)
    session = await ledger.open_write(upload.upload_id, ANN, 0, op="open")
    assert (await ledger.open_write(upload.upload_id, ANN, 0, op="open")).fence == session.fence
    for _ in range(2):
        assert (await finished(ledger, upload, session.fence, op="finish")).state is State.QUEUED
    first = await ledger.claim([MediaKind.IMAGE], "w", LEASE, op="claim")
    again = await ledger.claim([MediaKind.IMAGE], "w", LEASE, op="claim")
    assert first is not None
    assert again is not None
    assert (first.upload, first.fence) == (again.upload, again.fence)
    for _ in range(2):
        done = await ledger.commit(upload.upload_id, first.fence, outcome(), op="commit")
        assert done is not None
    assert await stored(ledger) == (Stored(1010, 2), 0)
    assert (await ledger.get(upload.upload_id)).sequence == 4


async def test_a_claim_takes_the_first_kind_with_work_due_and_tells_whether_more_is_left(ledger: RedisLedger) -> None:
    for name in ("a.jpg", "b.jpg", "c.mp4"):
        await queued(ledger, UploadSpec(display_name=name, size_bytes=1000))
    claims = [await ledger.claim([MediaKind.VIDEO, MediaKind.IMAGE], "w", LEASE) for _ in range(4)]
    told = [claim and (claim.upload.spec.display_name, claim.more) for claim in claims]
    assert told == [("c.mp4", False), ("a.jpg", True), ("b.jpg", False), None]


async def test_only_the_fence_that_claimed_may_commit(ledger: RedisLedger) -> None:
    upload = await queued(ledger)
    claim = await claimed(ledger)
    assert await ledger.commit(upload.upload_id, claim.fence - 1, outcome()) is None
    assert await ledger.renew(upload.upload_id, claim.fence - 1, LEASE) is Verdict.LOST
    assert await ledger.fail_attempt(upload.upload_id, claim.fence - 1, failed(FailureCode.TIMED_OUT, 2)) is None
    assert await ledger.claim([MediaKind.IMAGE], "w2", LEASE) is None


async def test_a_retryable_failure_waits_and_runs_again_until_its_attempts_are_used(ledger: RedisLedger) -> None:
    upload = await queued(ledger)
    claim = await claimed(ledger)
    again = await ledger.fail_attempt(
        upload.upload_id, claim.fence, failed(FailureCode.TIMED_OUT, 2, timedelta(hours=1))
    )
    assert again is not None
    assert (again.state, again.attempt, again.max_attempts) == (State.QUEUED, 2, 2)
    assert again.next_attempt_time is not None
    assert again.failure is not None
    assert again.failure.code is FailureCode.TIMED_OUT
    assert await ledger.claim([MediaKind.IMAGE], "w", LEASE) is None
    assert await ledger.due() == []

    other = await queued(ledger)
    for attempt in (1, 2):
        assert await ledger.due() == [MediaKind.IMAGE]
        claim = await claimed(ledger)
        assert claim.upload.attempt == attempt
        end = await ledger.fail_attempt(other.upload_id, claim.fence, failed(FailureCode.WORKER_CRASHED, 2))
    assert end is not None
    assert (end.state, end.progress.percent, end.progress.stage) == (State.FAILED, 100, "process")
    assert end.progress.work_percent < 100
    assert end.failure is not None
    assert [record.code for record in end.failure.attempts] == [FailureCode.WORKER_CRASHED] * 2
    assert await stored(ledger) == (Stored(2000, 2), 0)


async def test_timings_of_all_attempts_of_a_series_add_up(ledger: RedisLedger) -> None:
    upload = await queued(ledger)
    fetch = StageTiming(stage="fetch", seconds=0.25)
    claim = await claimed(ledger)
    wrong = failed(FailureCode.WORKER_CRASHED, 2)._replace(
        timings=(fetch, StageTiming(stage="process", seconds=1.5, cpu_seconds=1.25, peak_memory=3 << 30))
    )
    await ledger.fail_attempt(upload.upload_id, claim.fence, wrong)
    claim = await claimed(ledger)
    await ledger.release(upload.upload_id, claim.fence, [fetch])
    claim = await claimed(ledger)
    small = StageTiming(stage="process", seconds=0.5, cpu_seconds=0.25, peak_memory=1 << 20)
    done = await ledger.commit(upload.upload_id, claim.fence, outcome()._replace(timings=(fetch, small)))
    assert done is not None
    assert done.timings == (
        StageTiming(stage="fetch", seconds=0.75),
        StageTiming(stage="process", seconds=2, cpu_seconds=1.5, peak_memory=3 << 30),
    )

    other = await queued(ledger)
    claim = await claimed(ledger)
    await ledger.cancel(other.upload_id, ANN, "")
    ended = await ledger.release(other.upload_id, claim.fence, [fetch])
    assert ended is not None
    assert ended.timings == (fetch,)
    assert (await ledger.retry(other.upload_id, ANN, max_attempts=3)).timings == ()


async def test_a_discarded_original_is_refunded_and_swept(ledger: RedisLedger) -> None:
    upload = await queued(ledger)
    claim = await claimed(ledger)
    wrong = failed(FailureCode.OBJECT_CHECKSUM_MISMATCH, 1, discard=True)
    end = await ledger.fail_attempt(upload.upload_id, claim.fence, wrong)
    assert end is not None
    assert (end.state, end.original_key) == (State.FAILED, "")
    assert await stored(ledger) == (Stored(), 0)
    assert UploadKeys(ANN, upload.upload_id).prefix in {sweep.prefix for sweep in await ledger.sweeps(10)}
    assert (await refused(ledger.retry(upload.upload_id, ANN, max_attempts=3))).reason is Reason.ORIGINAL_MISSING


async def test_cancel_in_each_state(ledger: RedisLedger) -> None:
    receiving = await created(ledger)
    end = await ledger.cancel(receiving.upload_id, ANN, "why not")
    assert (end.state, end.progress.percent) == (State.CANCELLED, 100)
    assert end.failure is not None
    assert (end.failure.code, end.failure.detail) == (FailureCode.CANCELLED_BY_CALLER, "why not")
    assert await stored(ledger) == (Stored(), 0)
    assert (await refused(ledger.open_write(receiving.upload_id, ANN, 0))).reason is Reason.UPLOAD_CANCELLED

    waiting = await queued(ledger)
    assert (await ledger.cancel(waiting.upload_id, ANN, "")).state is State.CANCELLED
    assert await ledger.claim([MediaKind.IMAGE], "w", LEASE) is None

    running = await queued(ledger)
    claim = await claimed(ledger)
    assert (await ledger.cancel(running.upload_id, ANN, "")).state is State.CANCELLING
    assert (await ledger.cancel(running.upload_id, ANN, "")).state is State.CANCELLING
    assert await ledger.renew(running.upload_id, claim.fence, LEASE) is Verdict.CANCELLING
    assert await ledger.commit(running.upload_id, claim.fence, outcome()) is None
    ended = await ledger.release(running.upload_id, claim.fence)
    assert ended is not None
    assert ended.state is State.CANCELLED
    assert (await ledger.cancel(running.upload_id, ANN, "")).state is State.CANCELLED

    done = await queued(ledger)
    claim = await claimed(ledger)
    await ledger.commit(done.upload_id, claim.fence, outcome())
    error = await refused(ledger.cancel(done.upload_id, ANN, ""))
    assert (error.reason, error.metadata) == (Reason.UPLOAD_TERMINAL, {"state": "SUCCEEDED"})


async def test_a_manual_retry_starts_a_new_series(ledger: RedisLedger) -> None:
    upload = await queued(ledger)
    await ledger.cancel(upload.upload_id, ANN, "")
    again = await ledger.retry(upload.upload_id, ANN, max_attempts=3)
    assert (again.state, again.progress.series, again.progress.percent) == (State.QUEUED, 2, RECEIVED_PERCENT)
    assert (await claimed(ledger)).upload.upload_id == upload.upload_id
    assert (await refused(ledger.retry(upload.upload_id, ANN, max_attempts=3))).reason is Reason.UPLOAD_NOT_FINISHED


async def lose_lease(ledger: RedisLedger, redis: Redis) -> None:
    """End the only lease, which is over, as where there was no outage before."""
    await redis.set("mf:leases:wait", 0)
    assert len(await ledger.end_lost_leases(LEASE)) == 1


async def test_a_lost_lease_brings_the_job_back_without_burning_an_attempt(
    ledger: RedisLedger, redis_client: Redis
) -> None:
    upload = await queued(ledger)
    await ledger.end_lost_leases(LEASE)  # the first ever: holders get their time
    for _ in range(MAX_LOST_LEASES):
        claim = await claimed(ledger, NOW)
        assert claim.upload.attempt == 1
        await lose_lease(ledger, redis_client)
        assert await ledger.renew(upload.upload_id, claim.fence, LEASE) is Verdict.LOST
        assert await ledger.commit(upload.upload_id, claim.fence, outcome()) is None
        assert await ledger.lose(upload.upload_id, claim.fence, (), NOW) is None
    end = await ledger.get(upload.upload_id)
    assert end.state is State.FAILED
    assert end.failure is not None
    assert end.failure.code is FailureCode.LEASE_LOST_TOO_OFTEN
    [record] = end.failure.attempts
    assert (record.worker, record.stage) == ("w", "fetch")
    assert record.evidence == "lost 5 times" + "; w in fetch" * 5


async def test_a_file_that_is_lost_in_a_decoder_each_time_is_blamed(ledger: RedisLedger, redis_client: Redis) -> None:
    upload = await queued(ledger)
    claim = await claimed(ledger)
    await ledger.fail_attempt(upload.upload_id, claim.fence, failed(FailureCode.STORAGE_UNAVAILABLE, 3))
    await ledger.end_lost_leases(LEASE)  # the first ever: holders get their time
    used = StageTiming(stage="process", seconds=1)
    at_work = WorkProgress(percent=50, stage="process")
    for lost in range(1, MAX_LOST_LEASES + 1):
        claim = await claimed(ledger, NOW)
        assert claim.upload.attempt == 2, "one has failed, none of those that were lost"
        await ledger.renew(upload.upload_id, claim.fence, NOW, at_work)
        if lost % 2:
            await ledger.lose(upload.upload_id, claim.fence, [used], NOW)
        else:
            await lose_lease(ledger, redis_client)
    end = await ledger.get(upload.upload_id)
    assert end.state is State.FAILED
    assert end.failure is not None
    assert (end.failure.code, end.failure.stage) == (FailureCode.WORKER_CRASHED, "process")
    assert [record.code for record in end.failure.attempts] == [
        FailureCode.STORAGE_UNAVAILABLE,
        FailureCode.WORKER_CRASHED,
    ]
    assert end.failure.attempts[-1].evidence == "lost 5 times" + "; w in process" * 5
    assert end.timings == (StageTiming(stage="process", seconds=3),)
    # A new series begins without blame.
    await ledger.retry(upload.upload_id, ANN, max_attempts=3)
    claim = await claimed(ledger)
    again = await ledger.lose(upload.upload_id, claim.fence, (), timedelta(hours=1))
    assert again is not None
    assert (again.state, again.attempt) == (State.QUEUED, 1)
    assert again.next_attempt_time is not None


async def test_of_files_that_are_lost_together_each_is_blamed_for_itself(
    ledger: RedisLedger, redis_client: Redis
) -> None:
    in_decoder, elsewhere = await queued(ledger), await queued(ledger)
    await ledger.end_lost_leases(LEASE)  # the first ever: holders get their time
    await redis_client.set("mf:leases:wait", 0)
    for _ in range(MAX_LOST_LEASES):
        for _ in range(2):
            claim = await claimed(ledger, NOW)
            if claim.upload.upload_id == in_decoder.upload_id:
                await ledger.renew(in_decoder.upload_id, claim.fence, NOW, WorkProgress(percent=50, stage="process"))
        assert len(await ledger.end_lost_leases(LEASE)) == 2
    codes = []
    for upload in (in_decoder, elsewhere):
        end = await ledger.get(upload.upload_id)
        assert end.failure is not None
        assert end.failure.attempts[-1].code is end.failure.code
        codes.append(end.failure.code)
    assert codes == [FailureCode.WORKER_CRASHED, FailureCode.LEASE_LOST_TOO_OFTEN]


async def test_after_an_outage_holders_may_renew_before_any_lease_ends(ledger: RedisLedger) -> None:
    upload = await queued(ledger)
    claim = await claimed(ledger, NOW)
    # Housekeeping has not run before: the same as after an outage.
    assert await ledger.end_lost_leases(LEASE) == []
    assert await ledger.end_lost_leases(LEASE) == []
    assert await ledger.renew(upload.upload_id, claim.fence, LEASE) is Verdict.HELD


async def test_the_loss_of_a_housekeeper_is_no_outage(ledger: RedisLedger, redis_client: Redis) -> None:
    upload = await queued(ledger)
    await claimed(ledger, NOW)
    await ledger.end_lost_leases(LEASE)  # the first ever: holders get their time
    await redis_client.set("mf:leases:wait", 0)
    for _ in range(3):  # nobody ends leases for long, but another worker comes by
        await redis_client.decrby("mf:leases:tick", int(LEASE.total_seconds() * 1000) // 2 - 5_000)
        await ledger.lead("another", LEASE, job_lease=LEASE)
    assert [each.upload_id for each in await ledger.end_lost_leases(LEASE)] == [upload.upload_id]


async def test_where_no_worker_came_by_it_was_an_outage(ledger: RedisLedger, redis_client: Redis) -> None:
    await queued(ledger)
    await claimed(ledger, NOW)
    await ledger.end_lost_leases(LEASE)
    await redis_client.set("mf:leases:wait", 0)
    await redis_client.decrby("mf:leases:tick", int(LEASE.total_seconds() * 1000) // 2 + 1)
    await ledger.lead("another", LEASE, job_lease=LEASE)
    assert await ledger.end_lost_leases(LEASE) == []


async def test_expiry_refunds_and_sweeps(ledger: RedisLedger) -> None:
    upload = await created(ledger, expires_in=NOW)
    session = await ledger.open_write(upload.upload_id, ANN, 0)
    await ledger.attach_multipart(upload.upload_id, session.fence, "key", "mp")
    assert [each.state for each in await ledger.expire(10)] == [State.EXPIRED]
    assert await stored(ledger) == (Stored(), 0)
    [sweep] = await ledger.sweeps(10, upload_id=upload.upload_id)
    assert (sweep.multipart_key, sweep.multipart_id) == ("key", "mp")
    await ledger.swept(sweep)
    assert await ledger.sweeps(10) == []
    for step in (
        ledger.open_write(upload.upload_id, ANN, 0),
        ledger.cancel(upload.upload_id, ANN, ""),
        ledger.retry(upload.upload_id, ANN, max_attempts=1),
        finished(ledger, upload, session.fence),
    ):
        assert (await refused(step)).reason is Reason.UPLOAD_EXPIRED


async def test_retained_originals_are_dropped_after_their_time(redis_url: str, redis_client: Redis) -> None:
    ledger = await connect(LedgerSettings(ledger_url=redis_url, retry_retention=NOW))
    upload = await queued(ledger)
    await ledger.cancel(upload.upload_id, ANN, "")
    await ledger.expire(10)
    assert (await ledger.get(upload.upload_id)).original_key == ""
    assert await stored(ledger) == (Stored(), 0)
    await ledger.close()


async def test_delete_refunds_everything_and_answers_again(ledger: RedisLedger) -> None:
    upload = await queued(ledger)
    claim = await claimed(ledger)
    await ledger.commit(upload.upload_id, claim.fence, outcome())
    before = await ledger.position()
    gone = await ledger.delete(upload.upload_id, ANN)
    assert gone.state is State.SUCCEEDED
    assert (await ledger.delete(upload.upload_id, ANN)).upload_id == upload.upload_id
    assert await stored(ledger) == (Stored(), 0)
    assert (await refused(ledger.get(upload.upload_id))).reason is Reason.UPLOAD_NOT_FOUND
    assert (await refused(ledger.delete(upload.upload_id, BOB))).reason is Reason.UPLOAD_NOT_FOUND
    [(_, entry)] = await ledger.read(before, limit=10)
    assert isinstance(entry, Deleted)
    assert entry.sequence == 5
    assert (await ledger.list(ANN, UploadFilter(), limit=10)).uploads == ()


async def test_another_tenant_sees_nothing(ledger: RedisLedger) -> None:
    upload = await queued(ledger)
    for step in (
        ledger.get(upload.upload_id, BOB),
        ledger.history(upload.upload_id, BOB),
        ledger.open_write(upload.upload_id, BOB, 0),
        ledger.cancel(upload.upload_id, BOB, ""),
        ledger.retry(upload.upload_id, BOB, max_attempts=1),
        ledger.update(upload.upload_id, BOB, caption="x"),
        ledger.delete(upload.upload_id, BOB),
    ):
        assert (await refused(step)).reason is Reason.UPLOAD_NOT_FOUND
    assert (await ledger.list(BOB, UploadFilter(), limit=10)).uploads == ()


async def test_a_kind_found_in_the_file_moves_index_and_usage(ledger: RedisLedger) -> None:
    upload = await queued(ledger, UploadSpec(display_name="blob", size_bytes=1000))
    claim = await ledger.claim([MediaKind.OTHER], "w", LEASE)
    assert claim is not None
    await ledger.commit(upload.upload_id, claim.fence, outcome(MediaKind.IMAGE))
    usage = await ledger.usage(ANN)
    assert usage.originals[MediaKind.OTHER] == Stored()
    assert usage.originals[MediaKind.IMAGE] == Stored(1000, 1)
    images = UploadFilter(kinds=frozenset({MediaKind.IMAGE}))
    assert [each.upload_id for each in (await ledger.list(ANN, images, limit=10)).uploads] == [upload.upload_id]


async def test_listing_pages_in_both_directions_and_filters(ledger: RedisLedger) -> None:
    uploads = [
        await created(ledger, UploadSpec(display_name=f"Photo {n}.jpg", labels={"n": str(n % 2)})) for n in range(7)
    ]
    ids = [upload.upload_id for upload in uploads]
    for oldest_first, expected in ((True, ids), (False, ids[::-1])):
        seen: list[str] = []
        after = ""
        while True:
            page = await ledger.list(ANN, UploadFilter(), limit=3, after=after, oldest_first=oldest_first)
            assert page.total == 7
            seen += [upload.upload_id for upload in page.uploads]
            after = page.next_after
            if not after:
                break
        assert seen == expected
    odd = await ledger.list(ANN, UploadFilter(labels={"n": "1"}), limit=10, oldest_first=True)
    assert [upload.upload_id for upload in odd.uploads] == ids[1::2]
    text = await ledger.list(ANN, UploadFilter(text="photo 3"), limit=10)
    assert [upload.upload_id for upload in text.uploads] == [ids[3]]
    await ledger.cancel(ids[0], ANN, "")
    cancelled = await ledger.list(ANN, UploadFilter(states=frozenset({State.CANCELLED})), limit=10)
    assert ([upload.upload_id for upload in cancelled.uploads], cancelled.total) == ([ids[0]], 1)
    later = UploadFilter(created_from=datetime.now(UTC) + timedelta(minutes=1))
    assert (await ledger.list(ANN, later, limit=10)).total == 0


async def test_a_manifest_is_due_until_it_is_written(ledger: RedisLedger, redis_client: Redis) -> None:
    upload = await queued(ledger)
    claim = await claimed(ledger)
    done = await ledger.commit(upload.upload_id, claim.fence, outcome())
    assert done is not None
    assert await ledger.manifests(10) == []  # its worker still has time
    await redis_client.zadd("mf:manifests", {upload.upload_id: 0})
    assert [each.upload_id for each in await ledger.manifests(10)] == [upload.upload_id]
    await ledger.manifest_written(done)
    assert await ledger.manifests(10) == []
    changed = await ledger.update(upload.upload_id, ANN, caption="new")
    await redis_client.zadd("mf:manifests", {upload.upload_id: 0}, xx=True)
    await ledger.manifest_written(done)  # of an older revision
    assert [each.caption for each in await ledger.manifests(10)] == ["new"]
    await ledger.manifest_written(changed)
    assert await ledger.manifests(10) == []


async def test_one_owner_leads_until_its_lease_ends(ledger: RedisLedger) -> None:
    assert await ledger.lead("a", LEASE, job_lease=LEASE)
    assert await ledger.lead("a", LEASE, job_lease=LEASE)
    assert not await ledger.lead("b", LEASE, job_lease=LEASE)


async def test_an_absent_redis_is_an_unavailable_ledger() -> None:
    error = await refused(connect(LedgerSettings(ledger_url="redis://ann:secret@127.0.0.1:1/0")))
    assert error.reason is Reason.LEDGER_UNAVAILABLE
    assert error.retry_after
    assert "MEDIAFLEET_LEDGER_URL" in error.message
    assert "redis://127.0.0.1:1/0" in error.message
    assert "secret" not in error.message
