"""Streams of answers end by themselves when the drain begins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mediafleet_gateway.draining import Drain
from mediafleet_gateway.interceptors.around import Around, Context, Handler
from mediafleet_gateway.methods import Method, Methods

_LINGER = 0.5
"""Seconds in which a watcher of the health service still learns that this process is NOT_SERVING."""


class Draining(Around):
    """UNAVAILABLE `DRAINING` for every open stream of answers, and for new ones."""

    def __init__(self, methods: Methods, drain: Drain) -> None:
        """`drain` says when."""
        super().__init__(methods)
        self._drain = drain

    @asynccontextmanager
    async def around(self, method: Method, context: Context) -> AsyncIterator[None]:
        """See `Drain.ending`."""
        async with self._drain.ending(0.0 if method.ours else _LINGER):
            yield

    def wrap(self, method: Method, handler: Handler) -> Handler:
        """Calls with one answer finish within the grace period."""
        return super().wrap(method, handler) if handler.response_streaming else handler
