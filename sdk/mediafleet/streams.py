"""Sources whose bytes come once, such as a pipe's, and when their producer has them."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial

from mediafleet.threads import on_own_thread


class StreamSource:
    """A `Source` of bytes that come once; those that were not released are kept, and nothing goes to disk."""

    def __init__(self, pull: Callable[[], bytes], name: str) -> None:
        """`pull` waits for the next bytes and gives b"" at the end."""
        self.name = name
        self.size: int | None = None
        self._pull = pull
        self._pulling = threading.Lock()
        self._kept = bytearray()
        self._start = 0
        self._end = 0
        self._released = 0
        self._digest = hashlib.sha256()
        self._keeping = threading.Lock()  # never held while bytes are waited for: the event loop releases

    @property
    def held(self) -> int:
        """See `Source`."""
        return len(self._kept)

    async def ready(self, size: int) -> None:
        """See `Source`."""
        await on_own_thread(partial(self._fill, size))

    def read(self, offset: int, size: int) -> bytes:
        """See `Source`."""
        self._fill(offset + size)
        with self._keeping:
            if offset < self._start:
                raise ValueError(f"the bytes of {self.name} at {offset} were released")
            return bytes(self._kept[offset - self._start : offset - self._start + size])

    def release(self, offset: int) -> None:
        """See `Source`."""
        with self._keeping:
            self._released = max(self._released, offset)
            self._drop()

    def sha256(self) -> bytes:
        """See `Source`."""
        return self._digest.digest()

    def _fill(self, end: int) -> None:
        while self._lacks(end):
            with self._pulling:
                if self._lacks(end):  # a stream that broke off may have pulled for the one that goes on
                    self._came(self._pull())

    def _lacks(self, end: int) -> bool:
        return self.size is None and self._end < end

    def _came(self, content: bytes) -> None:
        self._digest.update(content)
        with self._keeping:
            self._kept += content
            self._drop()
        self._end += len(content)
        if not content:
            self.size = self._end

    def _drop(self) -> None:
        known = min(self._released - self._start, len(self._kept))
        if known > 0:
            del self._kept[:known]
            self._start += known


class AsyncSource(StreamSource):
    """A `Source` of what an asynchronous iterator yields on its event loop."""

    def __init__(self, items: AsyncIterator[bytes], name: str, loop: asyncio.AbstractEventLoop) -> None:
        """`loop` runs the iterator, also for threads that read."""
        super().__init__(lambda: asyncio.run_coroutine_threadsafe(self._next(), loop).result(), name)
        self._items = items
        self._waiting: asyncio.Task[bytes] | None = None
        self._closed = False

    async def ready(self, size: int) -> None:
        """See `Source`."""
        while self._lacks(size):
            self._came(await self._next())

    def close(self) -> None:
        """Ends the wait for an item, if a thread is in it; the iterator stays its owner's."""
        self._closed = True
        if self._waiting is not None:
            self._waiting.cancel()

    async def _next(self) -> bytes:
        """The next item that is not empty; b"" at the end."""
        if self._closed:
            raise ValueError("the upload has ended")
        self._waiting = asyncio.current_task()
        try:
            content = b""
            while not content:
                content = _bytes(await anext(self._items))
            return content
        except StopAsyncIteration:
            return b""
        finally:
            self._waiting = None


def _bytes(item: bytes) -> bytes:
    try:
        # Numbers, of which `bytes` makes zeros, are refused; and None, which is no end.
        return memoryview(item).tobytes()
    except TypeError:
        raise TypeError(f"an asynchronous iterable yields bytes, not a {type(item).__name__}") from None
