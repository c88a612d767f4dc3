"""Waiting for what happens elsewhere: poll with a deadline, never sleep and hope."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

INTERVAL = 0.01
"""Seconds between two looks."""

PATIENCE = 30.0
"""Seconds that only a test which fails waits in vain: much longer than a busy machine takes for anything."""


def wait_until(predicate: Callable[[], T], timeout: float = PATIENCE, message: str = "the condition") -> T:
    """The first truthy answer of `predicate`; fails the test after `timeout` seconds, naming `message`."""
    deadline = time.monotonic() + timeout
    while not (answer := predicate()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s for {message}; last answer: {answer!r}")
        time.sleep(INTERVAL)
    return answer


async def eventually(
    predicate: Callable[[], Awaitable[T]], timeout: float = PATIENCE, message: str = "the condition"
) -> T:
    """`wait_until` for a coroutine function; the event loop runs on between looks."""
    deadline = time.monotonic() + timeout
    while not (answer := await predicate()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s for {message}; last answer: {answer!r}")
        await asyncio.sleep(INTERVAL)
    return answer
