"""The messages of a WriteUpload stream as a plain reader, which a drain interrupts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from mediafleet_gateway.draining import Drain
from mediafleet_gateway.frames import Frame

_HALF_CLOSE = 1.0
"""Seconds that a client has to half-close after `finish_write`; one that never does is finished all the same."""


class Chunks:
    """Reads one message after the other."""

    def __init__(self, messages: AsyncIterator[Frame], drain: Drain) -> None:
        """Takes over `messages`."""
        self._messages = messages
        self._drain = drain

    async def next(self) -> Frame | None:
        """The next message; None at the end, whatever ended the stream. Raises DRAINING."""
        async with self._drain.ending():
            return await self._read()

    async def more(self) -> bool:
        """Whether another message follows at once."""
        try:
            async with asyncio.timeout(_HALF_CLOSE):
                return await self._read() is not None
        except TimeoutError:
            return False

    async def _read(self) -> Frame | None:
        # Not earlier: gRPC's iterator warns when it is made and never read, as in a stream that a drain meets.
        return await anext(aiter(self._messages), None)
