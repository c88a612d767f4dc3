"""What a Redis that forgets costs, and who notices; docs/redis.md says so in words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from structlog.testing import capture_logs

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.events import Snapshot, StateChanged
from mediafleet_core.ledger import LedgerSettings, RedisLedger, connect
from mediafleet_core.ports import Verdict
from mediafleet_core.uploads import State
from mediafleet_core.usage import Stored
from mediafleet_core.watching import Watching
from tests.forgetting import ForgetfulRedis
from tests.ledgers import ANN, LEASE, NOW, SPEC, claimed, created, finished, ledger_at, outcome, queued

SOON, LONG = timedelta(milliseconds=10), timedelta(hours=1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ForgetfulRedis]:
    server = ForgetfulRedis(tmp_path / "redis")
    yield server
    server.end()


@pytest.fixture
async def ledger(server: ForgetfulRedis) -> AsyncIterator[RedisLedger]:
    async with ledger_at(server.url) as ledger:
        yield ledger


def noticed() -> float:
    found = REGISTRY.get_sample_value("mediafleet_ledger_lost_writes_total")
    assert found is not None
    return found


async def test_everysec_loses_nothing_with_the_server_alone(server: ForgetfulRedis, ledger: RedisLedger) -> None:
    async with Redis.from_url(server.url) as client:
        await client.config_set("appendfsync", "everysec")
    before = noticed()
    uploads = [await created(ledger) for _ in range(200)]
    server.kill()
    server.start()
    for upload in uploads:
        assert await ledger.get(upload.upload_id) == upload
    assert noticed() == before


async def test_a_lost_end_of_the_log_is_noticed(server: ForgetfulRedis, ledger: RedisLedger) -> None:
    kept = await queued(ledger)
    before, known = noticed(), server.written
    lost = await queued(ledger)
    with capture_logs() as logs:
        server.lose_power(known)
        assert (await ledger.get(kept.upload_id)).state is State.QUEUED
        with pytest.raises(MediafleetError) as refused:
            await ledger.get(lost.upload_id)
    assert refused.value.reason is Reason.UPLOAD_NOT_FOUND
    assert [entry["event"] for entry in logs] == ["ledger_lost_writes"]
    assert noticed() == before + 1
    # Once, whatever comes after.
    await queued(ledger)
    server.kill()
    server.start()
    await ledger.get(kept.upload_id)
    assert noticed() == before + 1


async def test_an_empty_redis_is_noticed(server: ForgetfulRedis, ledger: RedisLedger) -> None:
    await queued(ledger)
    before = noticed()
    server.lose_power(0)
    await ledger.due()
    assert noticed() == before + 1


async def test_an_empty_redis_is_noticed_by_who_comes_late(server: ForgetfulRedis, ledger: RedisLedger) -> None:
    await queued(ledger)
    before = noticed()
    server.lose_power(0)
    async with ledger_at(server.url) as newcomer:
        await queued(newcomer)
    assert noticed() == before
    await ledger.due()
    assert noticed() == before + 1


async def test_who_comes_late_to_a_log_that_was_trimmed_raises_no_alarm(server: ForgetfulRedis) -> None:
    settings = LedgerSettings(ledger_url=server.url, events_kept=100)
    late, busy = await connect(settings), await connect(settings)
    await created(late)
    before = noticed()
    for _ in range(250):
        await created(busy)
    server.kill()
    server.start()
    await late.due()
    assert noticed() == before
    await late.close()
    await busy.close()


async def test_a_step_is_lost_whole_or_not_at_all(server: ForgetfulRedis, ledger: RedisLedger) -> None:
    upload = await created(ledger)
    session = await ledger.open_write(upload.upload_id, ANN, 0)
    known = server.written
    await finished(ledger, upload, session.fence)
    server.lose_power((known + server.written) // 2)
    again = await ledger.get(upload.upload_id)
    assert (again.state, again.original_key) == (State.RECEIVING, "")
    usage = await ledger.usage(ANN)
    assert (usage.total, usage.reserved_bytes) == (Stored(0, 0), SPEC.size_bytes)
    # Whoever asks again for what was lost gets it.
    assert (await finished(ledger, upload, session.fence)).state is State.QUEUED


async def test_a_lost_commit_is_made_up_by_another_attempt(server: ForgetfulRedis, ledger: RedisLedger) -> None:
    upload = await queued(ledger)
    claim = await claimed(ledger, NOW)
    known = server.written
    assert await ledger.commit(upload.upload_id, claim.fence, outcome())
    server.lose_power(known)
    assert await ledger.end_lost_leases(LEASE) == []  # an outage: the holder may still renew
    assert (await ledger.get(upload.upload_id)).state is State.PROCESSING
    async with Redis.from_url(server.url) as client:
        await client.set("mf:leases:wait", 0)
    assert [each.state for each in await ledger.end_lost_leases(LEASE)] == [State.QUEUED]
    again = await claimed(ledger)
    assert (again.upload.attempt, again.fence) == (1, claim.fence + 1)
    assert await ledger.commit(upload.upload_id, again.fence, outcome())
    assert (await ledger.usage(ANN)).total == Stored((SPEC.size_bytes or 0) + 10, 2)
    # What the forgotten attempt stored is swept.
    assert f"/r/{claim.fence}/" in " ".join(sweep.prefix for sweep in await ledger.sweeps(100))


async def test_a_holder_whose_claim_was_lost_is_told(server: ForgetfulRedis, ledger: RedisLedger) -> None:
    upload = await queued(ledger)
    known = server.written
    claim = await claimed(ledger)
    server.lose_power(known)
    assert await ledger.renew(upload.upload_id, claim.fence, LEASE) is Verdict.LOST
    assert await ledger.commit(upload.upload_id, claim.fence, outcome()) is None
    assert (await ledger.get(upload.upload_id)).state is State.QUEUED


async def test_a_replica_that_lags_forgets_as_a_power_loss_does(
    server: ForgetfulRedis, ledger: RedisLedger, tmp_path: Path
) -> None:
    kept = await queued(ledger)
    before = noticed()
    replica = server.replica(tmp_path / "replica")
    replica.fall_behind()
    lost = await queued(ledger)
    server.fail_over(replica)
    assert (await ledger.get(kept.upload_id)).state is State.QUEUED
    with pytest.raises(MediafleetError):
        await ledger.get(lost.upload_id)
    assert noticed() == before + 1


async def test_a_replica_that_has_everything_forgets_nothing(
    server: ForgetfulRedis, ledger: RedisLedger, tmp_path: Path
) -> None:
    upload = await queued(ledger)
    before = noticed()
    server.fail_over(server.replica(tmp_path / "replica"))
    assert await ledger.get(upload.upload_id) == upload
    assert noticed() == before


async def test_a_watch_begins_anew_when_what_it_told_was_forgotten(server: ForgetfulRedis, ledger: RedisLedger) -> None:
    upload = await queued(ledger)
    known = server.written
    async with (
        Watching(ledger) as watching,
        aclosing(watching.watch(upload.upload_id, ANN, min_interval=SOON)) as messages,
    ):
        await anext(messages)
        await claimed(ledger)
        told = await anext(messages)
        assert isinstance(told.event, StateChanged)
        assert told.event.state is State.PROCESSING
        server.lose_power(known)
        await created(ledger)  # the log goes on beyond the place that was lost
        with pytest.raises(MediafleetError) as ended:
            await anext(messages)
        assert ended.value.reason is Reason.LEDGER_UNAVAILABLE
        async with aclosing(watching.watch(upload.upload_id, ANN, after=told.cursor, min_interval=SOON)) as anew:
            first = await anext(anew)
        assert isinstance(first.event, Snapshot)
        assert first.event.upload.state is State.QUEUED
