"""Steps of the ledger that must come to an answer, however long it is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar
from uuid import uuid4

from mediafleet_core.errors import MediafleetError, Reason

T = TypeVar("T")

_INTERVAL = 0.2
"""Seconds between two tries to tell a ledger that does not answer."""


async def settled(
    step: Callable[[str], Awaitable[T]], patience: timedelta, *, wanted: Callable[[], bool] = lambda: True
) -> T:
    """The answer to a step, repeated under the same name while the ledger does not answer and it is `wanted`.

    The step may have been done before its answer was lost: a repeat hears that answer. Raises LEDGER_UNAVAILABLE when
    the patience is over.
    """
    op = uuid4().hex
    deadline = time.monotonic() + patience.total_seconds()
    while True:
        try:
            return await step(op)
        except MediafleetError as error:
            if error.reason is not Reason.LEDGER_UNAVAILABLE or time.monotonic() > deadline or not wanted():
                raise
        await asyncio.sleep(_INTERVAL)
