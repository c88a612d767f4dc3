"""Places that are handed out to tenants in turn."""

from __future__ import annotations

import asyncio

from mediafleet_core.identity import TenantId
from mediafleet_core.intake.turns import Turns


class Line:
    """Whoever comes waits for a place; each has it until the next one is let in."""

    def __init__(self, places: int = 1) -> None:
        self.turns, self.order = Turns(places), list[str]()
        self._leave = list[asyncio.Event]()

    async def come(self, tenant: str, count: int = 1, weight: float = 1.0) -> list[asyncio.Task[None]]:
        """So many wait."""
        tasks = [asyncio.create_task(self._stay(tenant, weight)) for _ in range(count)]
        await _settled()
        return tasks

    async def next(self, count: int = 1) -> None:
        """So many times whoever has been in longest leaves."""
        for _ in range(count):
            self._leave.pop(0).set()
            await _settled()

    async def _stay(self, tenant: str, weight: float) -> None:
        async with self.turns.place(TenantId(tenant), weight):
            self.order.append(tenant)
            leave = asyncio.Event()
            self._leave.append(leave)
            await leave.wait()


async def _settled() -> None:
    """Everything that waits for nothing outside has happened."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_tenant_that_comes_is_next_however_many_wait() -> None:
    line = Line()
    await line.come("ann", 6)
    await line.next(2)
    await line.come("bob", 2)
    await line.next(5)
    assert line.order == [*("ann",) * 3, "bob", "ann", "bob", "ann", "ann"]


async def test_turns_are_by_weight() -> None:
    line = Line()
    await line.come("first")
    await line.come("ann", 6, weight=1)
    await line.come("bob", 9, weight=3)
    await line.next(12)
    assert (line.order[1:].count("ann"), line.order[1:].count("bob")) == (3, 9)


async def test_two_that_bring_one_after_the_other_keep_nobody_waiting() -> None:
    line = Line()
    await line.come("bob")
    await line.come("ann", 9)
    for tenant in ("cat", "bob") * 6:
        await line.come(tenant)
        await line.next()
    assert line.order.count("ann") >= 4  # a third


async def test_who_gives_up_takes_no_place_and_no_turn() -> None:
    line = Line()
    await line.come("ann")
    waiting = await line.come("bob", 3)
    for task in waiting[:2]:
        task.cancel()
    await line.come("cat", 1)
    await line.next(2)
    assert line.order == ["ann", "bob", "cat"]
    waiting[2].cancel()
    await line.next()
    await line.come("dan")
    assert line.order[-1] == "dan"


async def test_so_many_have_a_place_at_once() -> None:
    line = Line(places=3)
    await line.come("ann", 5)
    assert len(line.order) == 3
    await line.next()
    assert len(line.order) == 4
