"""Ctrl-C and SIGTERM: the first one asks for a clean end, the second one does not wait for it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_until_interrupted(work: Coroutine[Any, Any, T], interrupted: T, hurry: Callable[[], None]) -> T:
    """Run `work` to its end, which a first signal brings by cancelling it; then the answer is `interrupted`.

    Each further signal calls `hurry`.
    """

    async def guarded() -> T:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(work)
        asked: list[int] = []

        def on_signal(number: int) -> None:
            if asked:
                hurry()
            else:
                task.cancel()
            asked.append(number)

        for number in SIGNALS:
            loop.add_signal_handler(number, on_signal, number)
        try:
            return await task
        except asyncio.CancelledError:
            if not asked:
                raise
            return interrupted

    return asyncio.run(guarded())
