"""What the ledger promises to whoever watches the whole: figures of every state, kind and queue, and of its server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from redis.asyncio import Redis

from mediafleet_core.batches import BatchSpec, BatchState
from mediafleet_core.failures import FailureCode
from mediafleet_core.identity import new_batch_id
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.media_types import MediaKind
from mediafleet_core.ports import Figures
from mediafleet_core.uploads import State, UploadSpec
from mediafleet_core.usage import Stored
from tests.ledgers import ANN, BOB, claimed, created, failed, ledger_at, outcome, queued

IMAGE = MediaKind.IMAGE


def uploads(figures: Figures) -> dict[State, int]:
    return {state: count for state, count in figures.uploads.items() if count}


def batches(figures: Figures) -> dict[BatchState, int]:
    return {state: count for state, count in figures.batches.items() if count}


async def test_an_empty_ledger_has_all_figures_and_all_are_zero(ledger: RedisLedger) -> None:
    figures = await ledger.figures()
    assert figures.uploads == dict.fromkeys(State, 0)
    assert figures.batches == dict.fromkeys(BatchState, 0)
    assert figures.originals == figures.renditions == dict.fromkeys(MediaKind, Stored())
    assert [queue.kind for queue in figures.queues] == list(MediaKind)
    assert abs(figures.as_of - datetime.now(UTC)) < timedelta(minutes=1)


async def test_figures_are_of_all_tenants(ledger: RedisLedger) -> None:
    for tenant in (ANN, BOB):
        await created(ledger, tenant=tenant)
        await queued(ledger, tenant=tenant)
    claim = await claimed(ledger)
    await ledger.commit(claim.upload.upload_id, claim.fence, outcome())
    figures = await ledger.figures()
    assert uploads(figures) == {State.RECEIVING: 2, State.QUEUED: 1, State.SUCCEEDED: 1}
    assert (figures.originals[IMAGE], figures.renditions[IMAGE]) == (Stored(2000, 2), Stored(10, 1))
    [image] = [queue for queue in figures.queues if queue.kind is IMAGE]
    assert (image.waiting, image.running, image.delayed, image.dead) == (1, 0, 0, 0)
    assert image.oldest_age is not None


async def test_batches_are_counted_as_they_move_and_go(ledger: RedisLedger) -> None:
    kept = await ledger.create_batch(new_batch_id(), ANN, BatchSpec())
    assert batches(await ledger.figures()) == {BatchState.OPEN: 1}
    member = UploadSpec(display_name="a.jpg", content_type="image/jpeg", size_bytes=5, batch_id=kept.batch_id)
    upload = await queued(ledger, member)
    await ledger.seal_batch(kept.batch_id, ANN)
    assert batches(await ledger.figures()) == {BatchState.SEALED: 1}
    claim = await claimed(ledger)
    await ledger.fail_attempt(upload.upload_id, claim.fence, failed(FailureCode.TIMED_OUT, 1))
    assert batches(await ledger.figures()) == {BatchState.FAILED: 1}
    await ledger.retry(upload.upload_id, ANN, max_attempts=1)
    assert batches(await ledger.figures()) == {BatchState.SEALED: 1}
    gone = await ledger.create_batch(new_batch_id(), BOB, BatchSpec())
    sealed = await ledger.seal_batch(gone.batch_id, BOB)
    assert batches(await ledger.figures()) == {BatchState.SEALED: 1, BatchState.SUCCEEDED: 1}
    assert await ledger.prune_batch(sealed)
    assert batches(await ledger.figures()) == {BatchState.SEALED: 1}


async def test_the_server_tells_of_itself(ledger: RedisLedger, redis_client: Redis) -> None:
    await queued(ledger)
    server = (await ledger.figures()).server
    assert (server.noeviction, server.aof, server.aof_write_ok, server.rdb_save_ok) == (True, True, True, True)
    assert server.fsync_always is True
    assert (server.memory_max, server.evicted_keys) == (0, 0)
    assert server.memory_used > 0
    assert server.clients > 0
    assert server.keys == {0: await redis_client.dbsize()}
    assert (await ledger.figures()).server.commands > server.commands
    await redis_client.config_set("maxmemory", "200mb")
    await redis_client.config_set("maxmemory-policy", "allkeys-lru")
    await redis_client.config_set("appendfsync", "everysec")
    try:
        server = (await ledger.figures()).server
    finally:
        await redis_client.config_set("maxmemory", "0")
        await redis_client.config_set("maxmemory-policy", "noeviction")
        await redis_client.config_set("appendfsync", "always")
    assert (server.memory_max, server.noeviction, server.fsync_always) == (200 << 20, False, False)


async def test_a_server_that_forbids_config_tells_the_rest(redis_url: str, redis_client: Redis) -> None:
    await redis_client.acl_setuser(
        "hosted", enabled=True, passwords=["+secret"], keys=["*"], channels=["*"], commands=["+@all", "-config"]
    )
    try:
        async with ledger_at(redis_url.replace("redis://", "redis://hosted:secret@")) as ledger:
            server = (await ledger.figures()).server
    finally:
        await redis_client.acl_deluser("hosted")
    assert (server.fsync_always, server.aof) == (None, True)
