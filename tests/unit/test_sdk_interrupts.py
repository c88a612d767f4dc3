"""Ctrl-C, wherever the synchronous client is just then: it alone is told, and nothing goes on behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from itertools import count
from typing import NoReturn

import pytest

from mediafleet.synchronous import LoopThread, Synchronous, stream
from tests.lines import BeforeLine


class Numbers:
    """Something asynchronous that yields, and takes its time to end."""

    def __init__(self) -> None:
        self.open = 0

    async def few(self) -> AsyncGenerator[int, None]:
        self.open += 1
        try:
            for number in range(3):
                await asyncio.sleep(0)
                yield number
        finally:
            await asyncio.sleep(0)
            self.open -= 1


class PlainNumbers(Synchronous[Numbers]):
    few = stream(Numbers.few)


def interrupt() -> NoReturn:
    raise KeyboardInterrupt


# Work that was made and never begun: Python says so, and it is right.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_an_interrupt_at_any_line_is_told_as_one_and_leaves_nothing_running(caplog: pytest.LogCaptureFixture) -> None:
    interrupts = 0
    for line in count(1):
        thread, numbers = LoopThread(), Numbers()
        twin = PlainNumbers(numbers, thread)
        got: list[int] = []
        try:
            with BeforeLine(line, interrupt) as before:
                for number in twin.few():
                    got.append(number)
        except KeyboardInterrupt:
            interrupts += 1
        thread.close()
        assert numbers.open == 0, line
        if before.left > 0:
            break
    assert got == [0, 1, 2]
    assert interrupts > 50
    assert [record.message for record in caplog.records] == []
