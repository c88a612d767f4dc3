"""What the ledger promises of webhook messages, against a real Redis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from mediafleet_core.failures import FailureCode
from mediafleet_core.identity import TenantId
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.ledger import webhooks as messages
from mediafleet_core.ports import TryOutcome, WebhookMessage, WebhookTry
from mediafleet_core.ports.webhooks import EVENT_TYPES, MESSAGES_KEPT, MessageState
from mediafleet_core.uploads import State, Upload
from tests.ledgers import ANN, BOB, DAY, NOW, claimed, created, failed, outcome, queued
from tests.waiting import eventually

MINUTE = timedelta(minutes=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
async def told(ledger: RedisLedger) -> None:
    """Both tenants have a webhook."""
    await ledger.set_webhooks({ANN: EVENT_TYPES, BOB: EVENT_TYPES})


async def cancelled(ledger: RedisLedger, tenant: TenantId = ANN) -> Upload:
    upload = await created(ledger, tenant=tenant)
    return await ledger.cancel(upload.upload_id, upload.tenant, "")


async def due(ledger: RedisLedger, *, limit: int = 100, most: int = 100, lease: timedelta = MINUTE) -> list[WebhookTry]:
    found, _ = await ledger.claim_messages([ANN, BOB], limit=limit, most=most, lease=lease)
    return list(found)


async def pending(ledger: RedisLedger) -> int:
    return (await ledger.claim_messages([ANN, BOB], limit=0, most=1, lease=NOW))[1]


async def end(
    ledger: RedisLedger,
    tried: WebhookTry,
    came: TryOutcome = TryOutcome.DELIVERED,
    backoff: timedelta = NOW,
    patience: timedelta = DAY,
    most: int = 100,
) -> MessageState:
    return await ledger.end_try(tried, came, backoff=backoff, patience=patience, most=most)


def types(tries: Sequence[WebhookTry]) -> list[str]:
    return [message_of(each).type.removeprefix("mediafleet.upload.") for each in tries]


def message_of(tried: WebhookTry) -> WebhookMessage:
    assert tried.message is not None, tried.problem
    return tried.message


async def test_every_way_to_an_end_is_told(ledger: RedisLedger) -> None:
    await cancelled(ledger)
    await queued(ledger)
    claim = await claimed(ledger)
    await ledger.commit(claim.upload.upload_id, claim.fence, outcome())
    await queued(ledger)
    claim = await claimed(ledger)
    await ledger.fail_attempt(claim.upload.upload_id, claim.fence, failed(FailureCode.CORRUPT_MEDIA, 1))
    again = await ledger.retry(claim.upload.upload_id, ANN, max_attempts=1)
    await ledger.cancel(again.upload_id, ANN, "")
    found = await due(ledger)
    assert sorted(types(found)) == ["cancelled", "cancelled", "failed", "succeeded"]
    about = [message_of(each) for each in found if each.message_id.startswith(again.upload_id)]
    # Each end of the same upload is a message of its own, with the record as it was then.
    assert {(each.type, each.subject.state) for each in about} == {
        ("mediafleet.upload.failed", State.FAILED),
        ("mediafleet.upload.cancelled", State.CANCELLED),
    }
    assert len({each.message_id for each in about}) == 2


async def test_a_repeated_step_plans_no_second_message(ledger: RedisLedger) -> None:
    upload = await created(ledger)
    for _ in range(3):
        await ledger.cancel(upload.upload_id, ANN, "", op="the same")
        await ledger.cancel(upload.upload_id, ANN, "")
    assert len(await due(ledger)) == 1


async def test_a_message_is_held_until_its_lease_ends(ledger: RedisLedger) -> None:
    await cancelled(ledger)
    (first,) = await due(ledger, lease=timedelta(milliseconds=50))
    assert await due(ledger, limit=1) == []
    (second,) = await eventually(lambda: due(ledger))
    assert (second.message, second.number) == (first.message, 2)
    # A try that lost its lease says nothing, unless it was delivered after all.
    assert await end(ledger, first, TryOutcome.GONE) is MessageState.PENDING
    assert await end(ledger, first) is MessageState.DELIVERED
    assert await end(ledger, second, TryOutcome.FAILED) is MessageState.DELIVERED
    assert await pending(ledger) == 0


async def test_what_failed_is_due_again_until_patience_ends(ledger: RedisLedger) -> None:
    await cancelled(ledger)
    (tried,) = await due(ledger)
    assert await end(ledger, tried, TryOutcome.FAILED, backoff=MINUTE) is MessageState.PENDING
    assert await due(ledger) == []
    assert await ledger.replay_messages(ANN, LONG_AGO, None, only_failed=True) == 1
    (tried,) = await due(ledger)
    assert (tried.number, tried.attempt) == (2, 1)
    assert await end(ledger, tried, TryOutcome.FAILED) is MessageState.PENDING
    (tried,) = await due(ledger)
    assert (tried.number, tried.attempt) == (3, 2)
    assert await end(ledger, tried, TryOutcome.FAILED, backoff=MINUTE, patience=NOW) is MessageState.GIVEN_UP
    assert await pending(ledger) == 0


async def planned(ledger: RedisLedger, redis_client: Redis) -> str:
    """The key of one message more."""
    upload = await cancelled(ledger)
    (key,) = await redis_client.keys(f"mf:message:{upload.upload_id}-*")
    assert isinstance(key, bytes)
    return key.decode()


async def test_a_damaged_message_holds_up_no_other(ledger: RedisLedger, redis_client: Redis) -> None:
    torn, many, endless, good = [await planned(ledger, redis_client) for _ in range(4)]
    await redis_client.hset(torn, "record", b"\xff")
    await redis_client.hset(many, "tries", str(10**15))
    await redis_client.hset(endless, "tries", str(2**63 - 1))
    found = {f"mf:message:{each.message_id}": each for each in await due(ledger)}
    assert {key: each.message is not None for key, each in found.items()} == {
        torn: False,
        many: True,
        endless: True,
        good: True,
    }
    assert (found[many].number, found[endless].attempt) == (10**15 + 1, 1)
    for each in found.values():
        assert await end(ledger, each, TryOutcome.FAILED, backoff=MINUTE, patience=NOW) is MessageState.GIVEN_UP
    assert await pending(ledger) == 0


async def test_a_message_in_a_state_of_another_version_is_kept_and_not_sent(
    ledger: RedisLedger, redis_client: Redis
) -> None:
    held = await planned(ledger, redis_client)
    await redis_client.hset(held, "state", "HELD")
    (tried,) = await due(ledger)
    assert (tried.message, "HELD" in tried.problem) == (None, True)
    assert await end(ledger, tried, TryOutcome.FAILED, backoff=MINUTE) is MessageState.PENDING
    assert await due(ledger) == []
    assert await redis_client.hget(held, "state") == b"HELD"
    assert await ledger.replay_messages(ANN, LONG_AGO, None, only_failed=False) == 1
    (tried,) = await due(ledger)
    assert message_of(tried).subject.state is State.CANCELLED
    await redis_client.hset(held, "state", "HELD")
    assert await end(ledger, tried, TryOutcome.FAILED, backoff=MINUTE, patience=NOW) is MessageState.GIVEN_UP
    assert await ledger.replay_messages(ANN, LONG_AGO, None, only_failed=True) == 1


@pytest.mark.parametrize("time", ["nan", "inf", "yesterday"])
async def test_a_damaged_time_neither_ends_patience_nor_makes_it_endless(
    ledger: RedisLedger, redis_client: Redis, time: str
) -> None:
    await redis_client.hset(await planned(ledger, redis_client), "since", time)
    (tried,) = await due(ledger)
    assert await end(ledger, tried, TryOutcome.FAILED) is MessageState.PENDING
    (tried,) = await due(ledger)
    assert await end(ledger, tried, TryOutcome.FAILED, backoff=MINUTE, patience=NOW) is MessageState.GIVEN_UP


async def test_what_has_ended_leaves_the_outbox(ledger: RedisLedger, redis_client: Redis) -> None:
    await redis_client.hset(await planned(ledger, redis_client), "state", "DELIVERED")
    (tried,) = await due(ledger)
    assert await end(ledger, tried, TryOutcome.FAILED) is MessageState.DELIVERED
    assert await pending(ledger) == 0


async def test_tenants_share_and_none_has_more_than_its_places(ledger: RedisLedger) -> None:
    for _ in range(5):
        await cancelled(ledger)
    for _ in range(2):
        await cancelled(ledger, BOB)
    first = await due(ledger, limit=4, most=3)
    assert [each.tenant for each in first] == [ANN, ANN, ANN, BOB]
    second = await due(ledger, most=3)
    assert [each.tenant for each in second] == [BOB]
    await end(ledger, first[0], most=3)
    assert [each.tenant for each in await due(ledger, most=3)] == [ANN]
    only_bob, count = await ledger.claim_messages([BOB], limit=9, most=9, lease=MINUTE)
    assert (only_bob, count) == ([], 2)


async def test_a_replay_takes_every_message_of_its_time_and_tenant(
    ledger: RedisLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "REPLAY_PAGE", 3)
    await cancelled(ledger, BOB)
    for _ in range(10):
        await cancelled(ledger)
    for tried in await due(ledger):
        assert await end(ledger, tried) is MessageState.DELIVERED
    assert await ledger.replay_messages(ANN, LONG_AGO, LONG_AGO + DAY, only_failed=False) == 0
    assert await ledger.replay_messages(ANN, LONG_AGO, None, only_failed=True) == 0
    assert await ledger.replay_messages(ANN, LONG_AGO, None, only_failed=False) == 10
    again = await due(ledger)
    assert len({each.message_id for each in again}) == 10
    assert await ledger.replay_messages(ANN, LONG_AGO, None, only_failed=False) == 0  # all are under way


async def test_messages_forget_themselves(ledger: RedisLedger, redis_client: Redis) -> None:
    await cancelled(ledger)
    (key,) = await redis_client.keys("mf:message:*")
    kept = timedelta(milliseconds=await redis_client.pttl(key))
    assert MESSAGES_KEPT - MINUTE < kept <= MESSAGES_KEPT
    await redis_client.delete(key)
    assert await due(ledger) == []
    assert await pending(ledger) == 0


async def test_what_is_wanted_is_said_again_to_a_redis_that_forgot_it(ledger: RedisLedger, redis_client: Redis) -> None:
    await redis_client.flushall()
    assert await due(ledger) == []
    await cancelled(ledger)
    assert len(await due(ledger)) == 1
    await ledger.set_webhooks({})
    assert await pending(ledger) == 1
    await cancelled(ledger)
    assert await pending(ledger) == 1
