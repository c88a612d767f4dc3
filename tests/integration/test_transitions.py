"""Whatever happens in whatever order: percent is honest, books balance, and only legal steps are taken."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from mediafleet_core.errors import MediafleetError
from mediafleet_core.events import StateChanged
from mediafleet_core.failures import FailureCode
from mediafleet_core.identity import UploadId
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.parts import Part, Tail
from mediafleet_core.ports import Original
from mediafleet_core.progress import WorkProgress
from mediafleet_core.uploads import TRANSITIONS, State, Transfer
from mediafleet_core.usage import Stored
from tests.ledgers import ANN, LEASE, LIMITS, SPEC, claimed, created, failed, ledger_at, outcome

SIZE = 1000
LEGAL = {(source, step.target) for step in TRANSITIONS.values() for source in step.sources}


class World:
    """One upload and everybody who may act on it, with fences that may be stale."""

    def __init__(self, ledger: RedisLedger, redis: Redis, upload_id: UploadId) -> None:
        self.ledger, self.redis, self.id = ledger, redis, upload_id
        self.writer, self.worker = 0, 0
        self.committed = 0

    async def open_write(self, _: int) -> None:
        session = await self.ledger.open_write(self.id, ANN, 0)
        self.writer = session.fence or self.writer

    async def open_direct(self, tenth: int) -> None:
        session = await self.ledger.open_direct(self.id, ANN, committed=min(SIZE, 10 * tenth))
        self.writer = session.fence or self.writer

    async def attach_direct(self, number: int) -> None:
        session = await self.ledger.attach_direct(self.id, ANN, "o", f"m{number}", SIZE)
        self.writer = session.fence or self.writer

    async def seal(self, stale: int) -> None:
        parts = [Part(number=1, offset=0, size=SIZE, crc32c=0, etag="e")]
        await self.ledger.seal(self.id, self.writer - stale % 2, parts if stale % 3 else None)

    async def record_part(self, number: int) -> None:
        part = Part(number=number + 1, offset=self.committed, size=100, crc32c=0, etag="e")
        self.committed = await self.ledger.record_part(self.id, self.writer, part, limits=LIMITS)

    async def record_tail(self, _: int) -> None:
        tail = Tail(key="t", offset=self.committed, size=50, crc32c=0)
        await self.ledger.record_tail(self.id, self.writer, tail, limits=LIMITS)

    async def finish(self, stale: int) -> None:
        original = Original("o", SIZE, 0)
        fence = self.writer - stale % 2
        await self.ledger.finish(self.id, fence, original, limits=LIMITS, max_attempts=3)

    async def reject(self, _: int) -> None:
        await self.ledger.reject(self.id, self.writer, FailureCode.OBJECT_CHECKSUM_MISMATCH, "")

    async def claim(self, _: int) -> None:
        if outcome().kind in await self.ledger.due():
            self.worker = (await claimed(self.ledger)).fence

    async def renew(self, percent: int) -> None:
        progress = WorkProgress(percent=percent, stage="process")
        await self.ledger.renew(self.id, self.worker, LEASE, progress)

    async def commit(self, stale: int) -> None:
        await self.ledger.commit(self.id, self.worker - stale % 2, outcome())

    async def fail(self, which: int) -> None:
        end = failed(FailureCode.TIMED_OUT, 1 + which % 3, timedelta(seconds=which % 2), discard=which % 7 == 0)
        await self.ledger.fail_attempt(self.id, self.worker, end)

    async def release(self, _: int) -> None:
        await self.ledger.release(self.id, self.worker)

    async def lose_lease(self, _: int) -> None:
        await self.redis.zadd("mf:running:IMAGE", {self.id: 0}, xx=True)
        await self.redis.set("mf:leases:wait", 0)
        await self.ledger.end_lost_leases(LEASE)

    async def expire(self, _: int) -> None:
        await self.redis.zadd("mf:expiry", {self.id: 0}, xx=True)
        await self.ledger.expire(10)

    async def cancel(self, _: int) -> None:
        await self.ledger.cancel(self.id, ANN, "")

    async def retry(self, _: int) -> None:
        await self.ledger.retry(self.id, ANN, max_attempts=3)


ACTIONS: list[Callable[[World, int], Awaitable[None]]] = [
    action for name, action in vars(World).items() if not name.startswith("_")
]


async def check(world: World, percents: dict[int, float]) -> None:
    upload = await world.ledger.get(world.id)
    progress = upload.progress
    assert progress.percent >= percents[progress.series], "percent fell within a series"
    percents[progress.series] = progress.percent
    assert (progress.percent == 100) == upload.state.terminal
    assert progress.work_percent == 100 if upload.state is State.SUCCEEDED else progress.work_percent < 100
    usage = await world.ledger.usage(ANN)
    originals = Stored(SIZE, 1) if upload.original_key else Stored()
    renditions = Stored(10, 1) if upload.renditions else Stored()
    assert usage.total == originals + renditions
    assert usage.reserved_bytes == (SIZE if upload.state is State.RECEIVING else 0)


async def play(redis_url: str, transfer: Transfer, script: list[tuple[int, int]]) -> None:
    async with Redis.from_url(redis_url, protocol=2) as redis:
        await redis.flushall()
        async with ledger_at(redis_url) as ledger:
            upload = await created(ledger, msgspec.structs.replace(SPEC, transfer=transfer))
            world, percents = World(ledger, redis, upload.upload_id), defaultdict[int, float](float)
            await ledger.end_lost_leases(LEASE)
            for action, argument in script:
                before = await ledger.get(world.id)
                try:
                    await ACTIONS[action](world, argument)
                except MediafleetError:
                    refused = await ledger.get(world.id)
                    assert refused == before, "a refused step changed the record"
                await check(world, percents)
            entries = [entry for _, entry in (await ledger.history(world.id)).entries]
            steps = [(e.previous, e.state) for e in entries if isinstance(e, StateChanged)]
            assert steps[0] == (None, State.RECEIVING)
            assert set(steps[1:]) <= LEGAL
            assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
            await ledger.delete(world.id, ANN)
            usage = await ledger.usage(ANN)
            assert (usage.total, usage.reserved_bytes) == (Stored(), 0)
            assert not [key async for key in redis.scan_iter(f"mf:u:{world.id}*")]


ACTION = st.tuples(st.integers(0, len(ACTIONS) - 1), st.integers(0, 120))
HAPPY = [
    (next(i for i, a in enumerate(ACTIONS) if a.__name__ == name), 0)
    for name in ("open_write", "attach_direct", "finish", "claim")
]
"""Half of the runs start with a job at work, where most of the table lies."""


@settings(max_examples=150, deadline=None)
@given(transfer=st.sampled_from(Transfer), start=st.sampled_from([[], HAPPY]), script=st.lists(ACTION, max_size=30))
def test_any_order_of_steps_keeps_percent_honest_and_the_books_balanced(
    redis_url: str, transfer: Transfer, start: list[tuple[int, int]], script: list[tuple[int, int]]
) -> None:
    asyncio.run(play(redis_url, transfer, start + script))
