"""Failed work as the ledger finds it and takes it up again when a caller asks for it."""

from __future__ import annotations

from mediafleet_core.failures import FailureCode
from mediafleet_core.identity import UploadId
from mediafleet_core.ledger import LedgerSettings, RedisLedger
from mediafleet_core.ports import UploadFilter
from mediafleet_core.uploads import State
from tests.ledgers import ANN, DAY, claimed, created, failed, queued


async def test_a_retry_of_a_series_is_done_once(ledger: RedisLedger) -> None:
    upload = await queued(ledger)
    for series in (1, 2):
        await ledger.cancel(upload.upload_id, ANN, "")
        first = await ledger.retry(upload.upload_id, ANN, max_attempts=3, series=series)
        again = await ledger.retry(upload.upload_id, ANN, max_attempts=3, series=series)
        assert (first.state, first.progress.series, first) == (State.QUEUED, series + 1, again)
    ended = await ledger.cancel(upload.upload_id, ANN, "")
    assert await ledger.retry(upload.upload_id, ANN, max_attempts=3, series=1) == ended


async def test_expire_time_tells_how_long_a_retry_is_possible(ledger: RedisLedger) -> None:
    kept = await queued(ledger)
    assert kept.expire_time is None
    cancelled = await ledger.cancel(kept.upload_id, ANN, "")
    assert cancelled.expire_time is not None
    assert cancelled.finish_time is not None
    assert cancelled.expire_time - cancelled.finish_time == LedgerSettings().retry_retention
    assert (await ledger.retry(kept.upload_id, ANN, max_attempts=3)).expire_time is None
    claim = await claimed(ledger)
    failure = failed(FailureCode.OBJECT_CHECKSUM_MISMATCH, 1, discard=True)
    discarded = await ledger.fail_attempt(kept.upload_id, claim.fence, failure)
    receiving = await created(ledger)
    assert receiving.expire_time is not None
    never_there = await ledger.cancel(receiving.upload_id, ANN, "")
    assert discarded is not None
    assert (discarded.expire_time, never_there.expire_time) == (None, None)


async def test_a_listing_by_failure_code_finds_what_ended_or_waits_with_it(ledger: RedisLedger) -> None:
    async def with_failure(code: FailureCode, attempts: int) -> UploadId:
        upload = await queued(ledger)
        claim = await claimed(ledger)
        await ledger.fail_attempt(upload.upload_id, claim.fence, failed(code, attempts, DAY))
        return upload.upload_id

    crashed = await with_failure(FailureCode.WORKER_CRASHED, 1)
    waits = await with_failure(FailureCode.TIMED_OUT, 2)
    late = await with_failure(FailureCode.TIMED_OUT, 1)
    await queued(ledger)

    async def found(*codes: FailureCode, states: frozenset[State] = frozenset()) -> list[UploadId]:
        which = UploadFilter(states=states, failure_codes=frozenset(codes))
        return [upload.upload_id for upload in (await ledger.list(ANN, which, limit=9, oldest_first=True)).uploads]

    assert await found(FailureCode.TIMED_OUT) == [waits, late]
    assert await found(FailureCode.TIMED_OUT, states=frozenset({State.FAILED})) == [late]
    assert await found(FailureCode.TIMED_OUT, FailureCode.WORKER_CRASHED) == [crashed, waits, late]
    assert await found(FailureCode.CORRUPT_MEDIA) == []
