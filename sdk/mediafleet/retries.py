"""How long trouble is borne, and how long to wait between two tries."""

from __future__ import annotations

import asyncio
import random
import time

from mediafleet.errors import Internal, MediafleetError, RateLimited

FIRST_DELAY = 0.1
"""Seconds before the second try; each further one waits twice as long."""

LONGEST_DELAY = 10.0
"""Seconds; a gateway may ask for more."""

MOST_FAULTS = 4
"""Times in a row that a gateway may answer with a fault of its own."""


class Patience:
    """The right to try again: for `seconds` from the first failure, or from the first one since things went forward."""

    def __init__(self, seconds: float, alternatives: int = 1) -> None:
        """`alternatives` is the number of gateways, of which each is tried before one is waited for."""
        self._seconds = seconds
        self._alternatives = alternatives
        self.renew()

    def renew(self) -> None:
        """Something went forward, so what failed before counts no more."""
        self._failures = 0
        self._until: float | None = None

    @property
    def left(self) -> float:
        """Seconds that the next try may take, never below a millisecond."""
        return self._seconds if self._until is None else max(0.001, self._until - time.monotonic())

    async def bear(self, error: MediafleetError) -> None:
        """Waits until the next try is due; raises `error` if trying again is of no use or the time is over."""
        self._failures += 1
        if not error.transient or (isinstance(error, Internal) and error.reason and self._failures >= MOST_FAULTS):
            raise error
        # Half of the delay is left to chance, so that the clients of a lost gateway do not return all at once.
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (self._failures - 1)) * random.uniform(0.5, 1.0)
        if error.retry_after is not None and self._failures >= self._alternatives:
            delay = max(delay, error.retry_after * random.uniform(1.0, 1.2))
        if isinstance(error, RateLimited) and error.retry_after is not None:
            # A gateway that is full knows when there will be room for this very caller.
            delay = error.retry_after
        if self._until is None:
            self._until = time.monotonic() + self._seconds
        if delay >= self.left:
            raise error
        await asyncio.sleep(delay)
