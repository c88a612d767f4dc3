"""Ctrl-C, wherever the synchronous client is just then: it alone is told, and nothing goes on behind it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from itertools import count
from types import FrameType, TracebackType
from typing import Any, Self

import pytest

from mediafleet import synchronous
from mediafleet.synchronous import LoopThread, Synchronous, stream

HANDING_OVER = ("call_soon_threadsafe", "_call_soon", "_write_to_self")


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


class InterruptedAt:
    """Ctrl-C before the n-th line that this thread runs of the twins and of the event loop they hand their work to."""

    def __init__(self, line: int) -> None:
        self.left = line

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self._called)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        sys.settrace(self._before)

    def _called(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        ours = code.co_filename == synchronous.__file__ or code.co_name in HANDING_OVER
        return self._reached if ours else None

    def _reached(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self._reached


# Work that was made and never begun: Python says so, and it is right.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_an_interrupt_at_any_line_is_told_as_one_and_leaves_nothing_running(caplog: pytest.LogCaptureFixture) -> None:
    interrupts = 0
    for line in count(1):
        thread, numbers = LoopThread(), Numbers()
        twin = PlainNumbers(numbers, thread)
        got: list[int] = []
        try:
            with InterruptedAt(line) as interrupt:
                for number in twin.few():
                    got.append(number)
        except KeyboardInterrupt:
            interrupts += 1
        thread.close()
        assert numbers.open == 0, line
        if interrupt.left > 0:
            break
    assert got == [0, 1, 2]
    assert interrupts > 50
    assert [record.message for record in caplog.records] == []
