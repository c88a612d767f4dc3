"""What the ledger promises to whoever steers queues and asks for their figures."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from mediafleet_core.failures import FailureCode
from mediafleet_core.ledger import LedgerSettings, RedisLedger, connect
from mediafleet_core.media_types import MediaKind
from mediafleet_core.ports import Verdict
from tests.ledgers import LEASE, claimed, failed, outcome, queued

IMAGE = MediaKind.IMAGE


@pytest.fixture
async def ledger(redis_url: str, redis_client: Redis) -> AsyncIterator[RedisLedger]:
    ledger = await connect(LedgerSettings(ledger_url=redis_url))
    yield ledger
    await ledger.close()


async def test_work_of_a_paused_kind_is_not_handed_out_until_it_is_resumed(ledger: RedisLedger) -> None:
    uploads = [await queued(ledger) for _ in range(2)]
    running = await claimed(ledger)
    for reason in ("broken model", "again"):
        await ledger.pause(IMAGE, reason)
    assert await ledger.claim([IMAGE], "w", LEASE) is None
    assert (await ledger.due())[IMAGE] == 0
    await ledger.resume(IMAGE)
    await ledger.resume(IMAGE)
    assert (await ledger.due())[IMAGE] == 1
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
    assert (await ledger.due())[IMAGE] == 0
    assert await ledger.claim([IMAGE], "w", LEASE) is None
    await ledger.resume(IMAGE)
    assert (await claimed(ledger)).upload.upload_id == upload.upload_id
