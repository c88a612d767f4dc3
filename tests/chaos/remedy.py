"""Bringing back what a fault took away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.chaos.fleet import FaultyFleet
from tests.chaos.points import Fault
from tests.waiting import eventually

_OUTAGE = 1.0
"""Seconds without Redis: the ledger's own repeats end before."""


async def remedy(fleet: FaultyFleet, fault: Fault, times: int, done_by_others: Callable[[], Awaitable[bool]]) -> None:
    """Returns when all has happened, and whoever shall come back is back; who was paused, once others have done all."""

    async def happened() -> bool:
        fleet.mend()
        return fleet.has_happened and len(fleet.fallen) == (times if fault is Fault.KILL else 0)

    await eventually(happened, message=f"{fault} to happen")
    if fault is Fault.OUTAGE:
        await asyncio.sleep(_OUTAGE)
        fleet.mend_redis()
    if fault is Fault.PAUSE:
        await eventually(done_by_others, message="the work to be done by others")
        fleet.wake()
