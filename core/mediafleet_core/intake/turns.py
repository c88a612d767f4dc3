"""Places for a few at once, handed out to tenants in turn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from mediafleet_core.identity import TenantId


class _Waiting(NamedTuple):
    given: asyncio.Future[None]
    weight: float


class Turns:
    """However many one tenant has waiting, another one's first does not come behind them.

    As in the queue of work, a tenant's next turn is 1 / weight after its last one, and whoever comes joins at the
    present; who leaves ahead of it keeps its turn.
    """

    def __init__(self, places: int) -> None:
        """So many places at once."""
        self._free, self._now = places, 0.0
        self._ahead: dict[TenantId, float] = {}
        """Turns that are to come; everybody else's is now."""
        self._lines: dict[TenantId, deque[_Waiting]] = {}

    @asynccontextmanager
    async def place(self, tenant: TenantId, weight: float) -> AsyncIterator[None]:
        """A place for as long as the block runs, which begins when it is the tenant's turn."""
        given = asyncio.get_running_loop().create_future()
        self._lines.setdefault(tenant, deque()).append(_Waiting(given, weight))
        self._hand_out()
        try:
            await given
            yield
        finally:
            if not given.cancelled():
                self._free += 1
                self._hand_out()

    def _hand_out(self) -> None:
        while self._free and self._lines:
            tenant = min(self._lines, key=self._turn)
            line = self._lines[tenant]
            first = line.popleft()
            if not line:
                del self._lines[tenant]
            if first.given.cancelled():
                continue
            self._free -= 1
            self._now = self._turn(tenant)
            self._ahead = {other: turn for other, turn in self._ahead.items() if turn > self._now}
            self._ahead[tenant] = self._now + 1 / first.weight
            first.given.set_result(None)

    def _turn(self, tenant: TenantId) -> float:
        return self._ahead.get(tenant, self._now)
