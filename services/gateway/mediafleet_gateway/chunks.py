"""The messages of a WriteUpload stream as a plain reader, which a drain interrupts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_gateway.draining import Drain, draining

_HALF_CLOSE = 1.0
"""Seconds that a client has to half-close after `finish_write`; one that never does is finished all the same."""


class Chunks:
    """Reads one message after the other."""

    def __init__(self, messages: AsyncIterator[pb.WriteUploadRequest], drain: Drain) -> None:
        """Takes over `messages`; `aclose` lets go of them."""
        self._messages = aiter(messages)
        self._drain = asyncio.ensure_future(drain.begun.wait())
        self._reading: asyncio.Future[pb.WriteUploadRequest | None] | None = None

    async def next(self) -> pb.WriteUploadRequest | None:
        """The next message; None at the end, whatever ended the stream. Raises DRAINING."""
        if self._drain.done():
            raise draining()
        self._reading = asyncio.ensure_future(anext(self._messages, None))
        await asyncio.wait((self._reading, self._drain), return_when=asyncio.FIRST_COMPLETED)
        if not self._reading.done():
            raise draining()
        return self._reading.result()

    async def more(self) -> bool:
        """Whether another message follows at once."""
        self._reading = asyncio.ensure_future(anext(self._messages, None))
        await asyncio.wait((self._reading,), timeout=_HALF_CLOSE)
        return self._reading.done() and self._reading.result() is not None

    async def aclose(self) -> None:
        """Stop reading."""
        self._drain.cancel()
        if self._reading is not None:
            self._reading.cancel()
