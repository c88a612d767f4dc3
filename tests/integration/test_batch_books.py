"""Whatever happens to members and batch in whatever order: the batch's books tell what its members do."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from mediafleet_core.batches import BatchSpec, BatchState, BatchView
from mediafleet_core.errors import MediafleetError
from mediafleet_core.failures import FailureCode
from mediafleet_core.identity import BatchId, UploadId, new_batch_id
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.media_types import MediaKind
from mediafleet_core.parts import Tail
from mediafleet_core.uploads import State, UploadSpec
from tests.ledgers import ANN, LEASE, LIMITS, created, failed, finished, ledger_at, outcome

KINDS = list(MediaKind)


class World:
    """One batch, its members, and everybody who may act on them."""

    def __init__(self, ledger: RedisLedger, redis: Redis, batch_id: BatchId) -> None:
        self.ledger, self.redis, self.batch = ledger, redis, batch_id
        self.members: list[UploadId] = []
        self.fences: dict[UploadId, int] = {}
        self.cancelled = self.sweeping = False

    def _one(self, number: int) -> UploadId:
        return self.members[number % len(self.members)]

    async def join(self, number: int) -> None:
        size = 1000 if number % 2 else None
        spec = UploadSpec(display_name="a", content_type="image/jpeg", size_bytes=size, batch_id=self.batch)
        self.members.append((await created(self.ledger, spec)).upload_id)

    async def queue(self, number: int) -> None:
        upload = await self.ledger.get(self._one(number))
        session = await self.ledger.open_write(upload.upload_id, ANN, 0)
        if number % 3 == 0:
            await self.ledger.record_tail(
                upload.upload_id, session.fence, Tail(key="t", offset=0, size=50, crc32c=0), limits=LIMITS
            )
        await finished(self.ledger, upload, session.fence)

    async def claim(self, number: int) -> None:
        claim = await self.ledger.claim(KINDS, "w", LEASE)
        if claim is not None:
            assert not self.cancelled, "a member of a cancelled batch was started"
            self.fences[claim.upload.upload_id] = claim.fence

    async def commit(self, number: int) -> None:
        member = self._one(number)
        await self.ledger.commit(member, self.fences.get(member, 0), outcome())

    async def fail(self, number: int) -> None:
        member, end = self._one(number), failed(FailureCode.TIMED_OUT, 1 + number % 2, discard=number % 5 == 0)
        await self.ledger.fail_attempt(member, self.fences.get(member, 0), end)

    async def release(self, number: int) -> None:
        member = self._one(number)
        await self.ledger.release(member, self.fences.get(member, 0))

    async def lose_leases(self, number: int) -> None:
        for member in self.members:
            await self.redis.zadd("mf:running:IMAGE", {member: 0}, xx=True)
        await self.redis.set("mf:leases:wait", 0)
        await self.ledger.end_lost_leases(LEASE)

    async def expire(self, number: int) -> None:
        await self.redis.zadd("mf:expiry", {self._one(number): 0}, xx=True)
        await self.ledger.expire(10)

    async def cancel(self, number: int) -> None:
        await self.ledger.cancel(self._one(number), ANN, "")

    async def retry(self, number: int) -> None:
        await self.ledger.retry(self._one(number), ANN, max_attempts=3)
        assert not self.cancelled, "a member of a batch that is being cancelled was queued again"

    async def delete(self, number: int) -> None:
        if number % 4 == 0:
            await self.ledger.delete(self._one(number // 4), ANN)

    async def seal(self, number: int) -> None:
        await self.ledger.seal_batch(self.batch, ANN)

    async def cancel_batch(self, number: int) -> None:
        batch = await self.ledger.cancel_batch(self.batch, ANN, "enough")
        if not batch.state.terminal:  # as it is when it was cancelled before
            self.cancelled = self.sweeping = True

    async def retry_batch(self, number: int) -> None:
        before = (await self.ledger.batch(self.batch, ANN)).batch
        await self.ledger.retry_batch(self.batch, ANN, max_attempts=3)
        self.sweeping = self.sweeping or before.counts[State.FAILED] > 0

    async def sweep(self, number: int) -> None:
        self.sweeping = not (await self.ledger.sweep_batch(self.batch, limit=1 + number % 3)).done

    async def idle(self, number: int) -> None:
        await self.ledger.idle_batches(timedelta(days=number), timedelta(0), 10)


ACTIONS: list[Callable[[World, int], Awaitable[None]]] = [
    action for name, action in vars(World).items() if not name.startswith("_")
]


async def check(world: World, before: BatchView) -> BatchView:
    view = await world.ledger.batch(world.batch, ANN)
    batch = view.batch
    members = [member.upload async for member in world.ledger.members(world.batch, ANN)]
    assert [member.upload_id for member in members] == sorted(world.members)
    states = Counter(member.state for member in members)
    assert {state: count for state, count in batch.counts.items() if count} == states
    assert batch.bytes_done == sum(member.committed_size for member in members)
    assert batch.bytes_total == sum(member.size_bytes or 0 for member in members)
    at_work = {member.upload_id for member in members if member.state in (State.PROCESSING, State.CANCELLING)}
    assert {upload.upload_id for upload in view.running} == at_work
    assert await world.redis.zcard(f"mf:batch:{world.batch}:running") == len(at_work)
    over = all(member.state.terminal for member in members)
    assert over or not batch.state.terminal, "a batch ended before its members"
    ended = batch.state.terminal and not before.batch.state.terminal
    assert not (world.sweeping and ended), "a batch ended while its members were gone over"
    assert (batch.percent == 100) == batch.state.terminal == (batch.finish_time is not None)
    assert view.changes[: len(before.changes)] == before.changes
    assert [change.sequence for change in view.changes] == list(range(1, batch.sequence + 1))
    chain = [None, *(change.state for change in view.changes)]
    assert [change.previous for change in view.changes] == chain[:-1]
    assert chain[-1] is batch.state
    # Terminal and not terminal take turns, but for the way from OPEN: a retry that goes on is no end.
    ends = [change.state for change in view.changes if change.state is not BatchState.OPEN]
    assert all(state.terminal == bool(place % 2) for place, state in enumerate(ends))
    if batch.state.terminal:
        world.cancelled = False
    return view


async def play(redis_url: str, script: list[tuple[int, int]]) -> None:
    async with Redis.from_url(redis_url, protocol=2) as redis:
        await redis.flushall()
        async with ledger_at(redis_url) as ledger:
            batch = await ledger.create_batch(new_batch_id(), ANN, BatchSpec())
            world = World(ledger, redis, batch.batch_id)
            view = await ledger.batch(batch.batch_id, ANN)
            await ledger.end_lost_leases(LEASE)
            for number in range(3):
                await world.join(number)
            for action, argument in script:
                with contextlib.suppress(MediafleetError):
                    await ACTIONS[action](world, argument)
                view = await check(world, view)
            # However it stands, it can be brought to its end.
            try:
                await world.cancel_batch(0)
            except MediafleetError:
                assert view.batch.state.terminal
            world.sweeping = False
            while not (await ledger.sweep_batch(world.batch, limit=2)).done:
                view = await check(world, view)
            for member, fence in world.fences.items():
                await ledger.release(member, fence)
            assert (await check(world, view)).batch.state.terminal
            assert await ledger.claim(KINDS, "w", LEASE) is None


ACTION = st.tuples(st.integers(0, len(ACTIONS) - 1), st.integers(0, 20))


def _script(*steps: tuple[str, int]) -> list[tuple[int, int]]:
    names = [action.__name__ for action in ACTIONS]
    return [(names.index(name), number) for name, number in steps]


QUEUED = _script(("queue", 0), ("queue", 1), ("queue", 2))
AT_WORK = QUEUED + _script(("claim", 0), ("claim", 0), ("seal", 0))
FAILED = QUEUED + _script(*[("claim", 0)] * 3, *(("fail", number) for number in (2, 4, 6)), ("seal", 0))
RETRIED = FAILED + _script(("retry_batch", 0), ("sweep", 0), ("claim", 0))
CANCELLED = AT_WORK + _script(("cancel_batch", 0), ("sweep", 0))
"""Where a random walk begins: most of what can go wrong lies behind these."""


@settings(max_examples=100, deadline=None)
@given(
    start=st.sampled_from([[], AT_WORK, FAILED, RETRIED, CANCELLED]),
    script=st.lists(ACTION, max_size=25),
)
def test_any_order_of_steps_keeps_the_books_of_a_batch(
    redis_url: str, start: list[tuple[int, int]], script: list[tuple[int, int]]
) -> None:
    asyncio.run(play(redis_url, start + script))
