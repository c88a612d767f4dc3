"""Whatever happens in whatever order: usage is what is stored, nothing stays reserved, and reconciliations say so."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from mediafleet_core.errors import MediafleetError
from mediafleet_core.ports import ObjectStore, StoredObject, UnfinishedMultipart
from mediafleet_core.reconciling import reconcile
from mediafleet_core.usage import Stored
from tests.ledgers import ANN, BOB, LEASE, ledger_at
from tests.living import STEPS, World, rest, stored

NOW = timedelta(0)
STEP = st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 11))


class EventfulStore:
    """As much of an `ObjectStore` as is needed, in memory; something happens after each object that is listed."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def put(self, key: str, body: Sequence[bytes], **_: object) -> StoredObject:
        self._sizes[key] = sum(map(len, body))
        return StoredObject(key, self._sizes[key], "")

    async def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._sizes.pop(key, None)

    async def list(self, prefix: str, *, after: str = "") -> AsyncIterator[StoredObject]:
        # One after the other as it is then: what comes behind the place that was reached is seen.
        while later := [key for key in self._sizes if key.startswith(prefix) and key > after]:
            after = min(later)
            yield StoredObject(after, self._sizes[after], "")
            if self.meanwhile is not None:
                await self.meanwhile()

    async def list_multiparts(self, prefix: str) -> AsyncIterator[UnfinishedMultipart]:
        nothing: tuple[UnfinishedMultipart, ...] = ()
        for unfinished in nothing:
            yield unfinished


async def _try(step: int, world: World, number: int) -> None:
    with contextlib.suppress(MediafleetError):
        await STEPS[step](world, number)


async def play(redis_url: str, script: list[tuple[int, int]], meanwhile: list[tuple[int, int]]) -> None:
    eventful = EventfulStore()
    store = cast("ObjectStore", eventful)
    async with Redis.from_url(redis_url, protocol=2) as redis, ledger_at(redis_url) as ledger:
        await redis.flushall()
        await ledger.end_lost_leases(LEASE)
        world = World(ledger, store, redis)
        for number in range(3):
            await world.create(number)
        for step, number in script:
            await _try(step, world, number)
        left, turn = iter(meanwhile), asyncio.Lock()

        async def go_on() -> None:
            if not turn.locked():  # a step may list, too
                async with turn:
                    for step, number in left:
                        await _try(step, world, number)
                        break

        eventful.meanwhile = go_on
        during = await reconcile(store, ledger, every=NOW, again=NOW, requests=3)
        eventful.meanwhile = None
        assert during is not None
        assert during.drift == Stored()
        await rest(ledger, store, redis)
        whole = await ledger.usage(None)
        assert (whole.total, whole.reserved_bytes) == (await stored(store), 0)
        for tenant in (ANN, BOB):
            usage = await ledger.usage(tenant)
            assert (usage.total, usage.reserved_bytes) == (await stored(store, f"uploads/{tenant}/"), 0)
            parts = [(await ledger.usage(tenant, name)).total for name in usage.collections if name]
            assert sum(parts, usage.collections.get("", Stored())) == usage.total
        after = await reconcile(store, ledger, every=NOW, again=NOW, requests=3)
        assert after is not None
        assert (after.drift, after.listed, after.other) == (Stored(), whole.total, Stored())


def _named(*names: str) -> list[tuple[int, int]]:
    steps = [step.__name__ for step in STEPS]
    return [(steps.index(name), number) for name in names for number in range(3)]


BEGINNINGS: tuple[list[tuple[int, int]], ...] = (
    [],
    _named("open_write", "write", "finish"),
    _named("open_write", "write", "finish", "claim", "make"),
    _named("open_write", "write", "finish", "claim", "make", "commit"),
    _named("open_write", "write", "finish", "claim", "make", "lose", "sweep", "make"),
)
"""Where a random walk begins: most of what can go wrong lies behind these."""


def check(redis_url: str, examples: int) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(
        start=st.sampled_from(BEGINNINGS),
        script=st.lists(STEP, max_size=12),
        meanwhile=st.lists(STEP, max_size=12),
    )
    def hold(start: list[tuple[int, int]], script: list[tuple[int, int]], meanwhile: list[tuple[int, int]]) -> None:
        asyncio.run(play(redis_url, start + script, meanwhile))

    hold()


def test_usage_is_what_is_stored(redis_url: str) -> None:
    check(redis_url, 20)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_usage_is_what_is_stored_whatever_happens(redis_url: str) -> None:
    check(redis_url, 300)
