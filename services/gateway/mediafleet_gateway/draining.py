"""Ending streams at drain: the server's own word, so that no stream is held open for the whole grace period."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_gateway import metrics


def draining() -> MediafleetError:
    """DRAINING: another gateway process goes on."""
    return MediafleetError(Reason.DRAINING, "this gateway is shutting down; go on with another one", retry_after=0.1)


class Drain:
    """Whether this process drains, and the streams that end when it begins to.

    Writers look at `begun` between messages: they suspend, so that their bytes are kept, and answer DRAINING.
    """

    def __init__(self) -> None:
        """Not draining yet."""
        self.begun = asyncio.Event()
        self._scopes: dict[asyncio.Timeout, float] = {}

    def begin(self) -> None:
        """End every stream inside `ending`, and those that come later at once."""
        self.begun.set()
        now = asyncio.get_running_loop().time()
        for scope, linger in self._scopes.items():
            scope.reschedule(now + linger)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """The body is a watch stream, counted from its begin to its end, with the reason of that."""
        reason = "error"
        metrics.WATCHES.inc()
        try:
            yield
            reason = "finished"
        except (asyncio.CancelledError, GeneratorExit):
            reason = "draining" if self.begun.is_set() else "client"
            raise
        finally:
            metrics.WATCHES.dec()
            metrics.WATCH_CLOSED.labels(reason).inc()

    @asynccontextmanager
    async def ending(self, linger: float = 0.0) -> AsyncIterator[None]:
        """Interrupt the body `linger` seconds after the drain begins, and raise DRAINING in its place."""
        if self.begun.is_set():
            raise draining()
        scope = asyncio.timeout(None)
        try:
            async with scope:
                self._scopes[scope] = linger
                try:
                    yield
                finally:
                    del self._scopes[scope]
        except TimeoutError:
            if scope.expired():
                raise draining() from None
            raise
