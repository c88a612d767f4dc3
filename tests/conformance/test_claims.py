"""Whose upload a worker gets next: priorities, turns of the tenants, limits on what runs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
import pytest

from mediafleet_core.failures import FailureCode
from mediafleet_core.identity import TenantId
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.media_types import MediaKind
from mediafleet_core.ports import Claim
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import Priority, Upload
from tests.ledgers import ANN, BOB, LEASE, LIMITS, NOW, SPEC, claimed, failed, outcome, queued

CAT = TenantId("cat")
ONE_AT_ONCE = Limits(running_uploads={MediaKind.IMAGE: 1})
BULK, INTERACTIVE = (
    msgspec.structs.replace(SPEC, priority=priority) for priority in (Priority.BULK, Priority.INTERACTIVE)
)


async def bring(ledger: RedisLedger, tenant: TenantId, count: int, limits: Limits = LIMITS) -> list[Upload]:
    """Uploads of a tenant that wait, in no order of entry that a test may rely on."""
    return await asyncio.gather(*(queued(ledger, tenant=tenant, limits=limits) for _ in range(count)))


async def turns(ledger: RedisLedger, count: int) -> list[TenantId]:
    """Whose uploads the next claims take."""
    return [(await claimed(ledger)).upload.tenant for _ in range(count)]


async def none_claimed(ledger: RedisLedger) -> bool:
    return await ledger.claim([MediaKind.IMAGE], "w", LEASE) is None


async def test_one_upload_waits_for_no_queue_of_another_tenant(ledger: RedisLedger) -> None:
    await bring(ledger, ANN, 2_000)
    assert await turns(ledger, 50) == [ANN] * 50
    [single] = await bring(ledger, BOB, 1)
    assert single.upload_id in [(await claimed(ledger)).upload.upload_id for _ in range(2)]


async def test_turns_follow_the_weights(ledger: RedisLedger) -> None:
    await bring(ledger, ANN, 100, Limits(weight=3))
    await bring(ledger, BOB, 100)
    seen = await turns(ledger, 100)
    assert abs(Counter(seen)[ANN] - 75) <= 1
    for start in range(0, 96, 4):
        assert 2 <= Counter(seen[start : start + 4])[ANN] <= 4  # all along, not only in the end


async def test_of_a_tenant_the_upload_that_came_first_goes_first(ledger: RedisLedger) -> None:
    uploads = [await queued(ledger) for _ in range(5)]
    assert [(await claimed(ledger)).upload.upload_id for _ in uploads] == [upload.upload_id for upload in uploads]


async def test_idling_earns_no_credit(ledger: RedisLedger) -> None:
    await bring(ledger, BOB, 1)
    await claimed(ledger)
    await bring(ledger, ANN, 60)
    await turns(ledger, 50)
    await bring(ledger, BOB, 10)
    assert abs(Counter(await turns(ledger, 10))[ANN] - 5) <= 1


async def test_a_tenant_that_always_has_but_one_upload_gets_no_more_than_its_share(ledger: RedisLedger) -> None:
    await bring(ledger, ANN, 20)
    await bring(ledger, BOB, 1)
    seen: list[TenantId] = []
    while len(seen) < 20:
        seen += await turns(ledger, 1)
        if seen[-1] == BOB:
            await bring(ledger, BOB, 1)
    assert abs(Counter(seen)[BOB] - 10) <= 1


async def test_priorities_are_strict_whoever_the_tenant(ledger: RedisLedger) -> None:
    bulk, normal, urgent = [
        [await queued(ledger, spec, tenant) for tenant in (ANN, BOB)] for spec in (BULK, SPEC, INTERACTIVE)
    ]
    late = await queued(ledger, INTERACTIVE, CAT)
    seen = [(await claimed(ledger)).upload.upload_id for _ in range(7)]
    assert set(seen[:3]) == {upload.upload_id for upload in (*urgent, late)}
    assert set(seen[3:5]) == {upload.upload_id for upload in normal}
    assert set(seen[5:]) == {upload.upload_id for upload in bulk}


async def commit(ledger: RedisLedger, claim: Claim) -> None:
    await ledger.commit(claim.upload.upload_id, claim.fence, outcome())


async def fail(ledger: RedisLedger, claim: Claim) -> None:
    await ledger.fail_attempt(claim.upload.upload_id, claim.fence, failed(FailureCode.TIMED_OUT, 1))


async def fail_for_now(ledger: RedisLedger, claim: Claim) -> None:
    end = failed(FailureCode.TIMED_OUT, 2, timedelta(hours=1))
    await ledger.fail_attempt(claim.upload.upload_id, claim.fence, end)


async def release(ledger: RedisLedger, claim: Claim) -> None:
    await ledger.release(claim.upload.upload_id, claim.fence)


async def cancel(ledger: RedisLedger, claim: Claim) -> None:
    await ledger.cancel(claim.upload.upload_id, ANN, "")
    assert await none_claimed(ledger)  # until its worker has let go
    await ledger.release(claim.upload.upload_id, claim.fence)


async def delete(ledger: RedisLedger, claim: Claim) -> None:
    await ledger.delete(claim.upload.upload_id, ANN)


async def lose_lease(ledger: RedisLedger, claim: Claim) -> None:
    await ledger.renew(claim.upload.upload_id, claim.fence, NOW)
    await ledger.end_lost_leases(NOW)
    await ledger.end_lost_leases(NOW)


@pytest.mark.parametrize("end", [commit, fail, fail_for_now, release, cancel, delete, lose_lease])
async def test_the_limit_on_running_uploads_holds_until_one_ends(
    ledger: RedisLedger, end: Callable[[RedisLedger, Claim], Awaitable[None]]
) -> None:
    await bring(ledger, ANN, 2, ONE_AT_ONCE)
    await queued(ledger, BULK, limits=ONE_AT_ONCE)
    claim = await claimed(ledger)
    assert not claim.more
    assert MediaKind.IMAGE not in await ledger.due()
    assert await none_claimed(ledger)
    [other] = await bring(ledger, BOB, 1)
    assert (await claimed(ledger)).upload.upload_id == other.upload_id
    await end(ledger, claim)
    assert MediaKind.IMAGE in await ledger.due()
    assert (await claimed(ledger)).upload.tenant == ANN
    assert await none_claimed(ledger)


async def test_a_limit_is_of_one_kind(ledger: RedisLedger) -> None:
    await bring(ledger, ANN, 2, ONE_AT_ONCE)
    await claimed(ledger)
    other = msgspec.structs.replace(SPEC, content_type="", display_name="a")
    for _ in range(2):
        await queued(ledger, other, limits=ONE_AT_ONCE)
    for _ in range(2):
        assert await ledger.claim([MediaKind.IMAGE, MediaKind.OTHER], "w", LEASE) is not None


async def test_a_wider_limit_counts_from_the_next_upload_on(ledger: RedisLedger) -> None:
    await bring(ledger, ANN, 3, ONE_AT_ONCE)
    await claimed(ledger)
    assert await none_claimed(ledger)
    await bring(ledger, ANN, 1, Limits(running_uploads={MediaKind.IMAGE: 3}))
    assert await turns(ledger, 2) == [ANN] * 2
    assert await none_claimed(ledger)


async def test_waiting_at_the_limit_earns_no_credit(ledger: RedisLedger) -> None:
    await bring(ledger, ANN, 20, Limits(running_uploads={MediaKind.IMAGE: 1}))
    claim = await claimed(ledger)
    await bring(ledger, BOB, 60)
    await turns(ledger, 50)
    await bring(ledger, ANN, 1, LIMITS)
    await commit(ledger, claim)
    assert abs(Counter(await turns(ledger, 10))[ANN] - 5) <= 1


@pytest.mark.parametrize("end", [release, lose_lease])
async def test_what_is_given_back_is_first_in_its_line_again(
    ledger: RedisLedger, end: Callable[[RedisLedger, Claim], Awaitable[None]]
) -> None:
    for _ in range(3):
        await queued(ledger)
    claim = await claimed(ledger)
    await end(ledger, claim)
    assert (await claimed(ledger)).upload.upload_id == claim.upload.upload_id


async def test_a_retry_that_is_due_waits_in_its_own_line(ledger: RedisLedger) -> None:
    upload = await queued(ledger, BULK)
    claim = await claimed(ledger)
    await ledger.fail_attempt(upload.upload_id, claim.fence, failed(FailureCode.TIMED_OUT, 2))
    normal = await queued(ledger)
    assert [(await claimed(ledger)).upload.upload_id for _ in range(2)] == [normal.upload_id, upload.upload_id]
