"""Looking for what Redis acknowledged, where the connection breaks again at once."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from redis.exceptions import BusyLoadingError

from mediafleet_core.ledger.witness import Witness


async def test_a_connection_that_breaks_at_once_is_no_evidence_and_no_noise() -> None:
    noise: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))
    asked: list[tuple[str, ...]] = []

    def ask(command: tuple[str, ...]) -> asyncio.Future[Any]:
        asked.append(command)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        answer.set_exception(BusyLoadingError("still loading"))
        return answer

    witness = Witness("mf:events", 100)
    witness.greet(ask)
    assert not asked  # nothing was acknowledged yet
    witness.saw("1700000000000-0")
    witness.greet(ask)
    first = list(asked)
    await asyncio.sleep(0)
    gc.collect()
    assert noise == []
    witness.greet(ask)  # it still wants to know
    assert asked == first * 2
    await asyncio.sleep(0)
