"""Ctrl-C and SIGTERM: a command dies of them, as whoever started it expects, and a loop around it ends too.

It does so at once and in silence, but where it has something to put in order: that comes first, unless there is a
second signal. One that is ignored, as of a job in the background, stays so.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn, TypeVar

R = TypeVar("R")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_BASE = 128
"""What a shell adds to the number of a signal that a process died of."""

_STDERR = 2
_SHOW_CURSOR = b"\x1b[?25h"


@contextmanager
def told() -> Iterator[None]:
    """In this block a first signal is a KeyboardInterrupt."""
    before = {number: signal.signal(number, _raise) for number in _heeded()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(work: Coroutine[Any, Any, R]) -> R:
    """`asyncio.run`, which a first signal ends by cancelling the work; that is a KeyboardInterrupt, too."""
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in _heeded()}

    async def guarded() -> R:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def stop(number: int) -> None:
            came.append(number)
            for each in before:
                loop.remove_signal_handler(each)
                signal.signal(each, _at_once)
            task.cancel()

        for number in before:
            loop.add_signal_handler(number, stop, number)
        return await work

    try:
        return asyncio.run(guarded())
    except (asyncio.CancelledError, Exception):
        if came:
            raise KeyboardInterrupt(*came) from None
        raise
    finally:
        work.close()  # of which nothing may have begun
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """As a shell tells it."""
    return _BASE + (interrupt.args[0] if interrupt.args else signal.SIGINT)


def die(code: object) -> None:
    """Ends this process by the signal that such an exit code tells of; does nothing if it tells of none."""
    for number in _SIGNALS:
        if code == _BASE + number:
            with suppress(OSError, ValueError):
                sys.stdout.flush()
            _die(number)


def _heeded() -> list[signal.Signals]:
    if threading.current_thread() is not threading.main_thread():
        return []
    return [each for each in _SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]


def _raise(number: int, _: FrameType | None) -> NoReturn:
    for each in _heeded():
        signal.signal(each, _at_once)
    raise KeyboardInterrupt(number)


def _at_once(number: int, _: FrameType | None) -> None:
    with suppress(OSError):
        if os.isatty(_STDERR):  # where bars may have hidden it
            os.write(_STDERR, _SHOW_CURSOR)
    _die(number)


def _die(number: int) -> None:
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
