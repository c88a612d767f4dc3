"""Where the bytes of an upload come from, hashed once on their way."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias

Readable: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | AsyncIterable[bytes]
"""A path, bytes, a binary file object (a pipe too), or what yields bytes asynchronously."""

_PULL = 1024 * 1024


class FileChanged(ValueError):
    """The file was changed while it was read."""


class Source(Protocol):
    """The bytes of one upload, from where they stood when they were handed over. Threads may share it."""

    name: str

    @property
    def size(self) -> int | None:
        """Bytes in all; None while that is not known."""

    @property
    def held(self) -> int:
        """Bytes kept in memory because they may have to be sent again."""

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes at `offset`, fewer only at the end; may wait for who produces them."""

    def release(self, offset: int) -> None:
        """The bytes before `offset` are never asked for again."""

    def sha256(self) -> bytes:
        """Of the whole, once it was read to its end."""


class FileSource:
    """A file of known size that can be read anywhere, again and again."""

    held = 0

    def __init__(self, file: BinaryIO, name: str) -> None:
        """`file` can be sought."""
        self.name = name
        self._file = file
        self._start = file.tell()
        self._size = file.seek(0, os.SEEK_END) - self._start
        self._digest = hashlib.sha256()
        self._hashed = 0
        self._reading = threading.Lock()

    @property
    def size(self) -> int:
        """See `Source`."""
        return self._size

    def read(self, offset: int, size: int) -> bytes:
        """See `Source`; FileChanged if the file became shorter meanwhile."""
        with self._reading:
            self._hash_until(offset)  # sent by an earlier process: these bytes count for the digest too
            content = self._bytes(offset, min(size, self._size - offset))
            self._hash(offset, content)
            return content

    def release(self, offset: int) -> None:
        """See `Source`."""

    def sha256(self) -> bytes:
        """See `Source`; reads what was not read before."""
        with self._reading:
            self._hash_until(self._size)
            return self._digest.digest()

    def _bytes(self, offset: int, size: int) -> bytes:
        self._file.seek(self._start + offset)
        content = self._file.read(size)
        if len(content) < size:
            raise FileChanged(f"{self.name} became shorter while it was read")
        return content

    def _hash_until(self, offset: int) -> None:
        while self._hashed < offset:
            self._hash(self._hashed, self._bytes(self._hashed, min(_PULL, offset - self._hashed)))

    def _hash(self, offset: int, content: bytes) -> None:
        fresh = memoryview(content)[self._hashed - offset :]
        self._digest.update(fresh)
        self._hashed += len(fresh)


class StreamSource:
    """Bytes that come once, such as a pipe's; those that were not released are kept, and nothing goes to disk."""

    def __init__(self, pull: Callable[[], bytes], name: str) -> None:
        """`pull` waits for the next bytes and gives b"" at the end."""
        self.name = name
        self.size: int | None = None
        self._pull = pull
        self._kept = bytearray()
        self._start = 0
        self._released = 0
        self._digest = hashlib.sha256()
        self._reading = threading.Lock()

    @property
    def held(self) -> int:
        """See `Source`."""
        return len(self._kept)

    def read(self, offset: int, size: int) -> bytes:
        """See `Source`."""
        with self._reading:
            while self.size is None and self._start + len(self._kept) < offset + size:
                content = self._pull()
                if not content:
                    self.size = self._start + len(self._kept)
                self._digest.update(content)
                self._kept += content
                self._drop()
            if offset < self._start:
                raise ValueError(f"the bytes of {self.name} at {offset} were released")
            return bytes(self._kept[offset - self._start : offset - self._start + size])

    def release(self, offset: int) -> None:
        """See `Source`."""
        with self._reading:
            self._released = max(self._released, offset)
            self._drop()

    def sha256(self) -> bytes:
        """See `Source`."""
        return self._digest.digest()

    def _drop(self) -> None:
        known = min(self._released - self._start, len(self._kept))
        if known > 0:
            del self._kept[:known]
            self._start += known


@contextmanager
def open_source(readable: Readable, name: str, loop: asyncio.AbstractEventLoop) -> Iterator[Source]:
    """Opens it for reading, `name` or else the file's own being the display name; `loop` runs what is asynchronous."""
    if isinstance(readable, bytes | bytearray | memoryview):
        yield FileSource(io.BytesIO(readable), name or "unnamed")
    elif isinstance(readable, str | os.PathLike):
        with Path(readable).open("rb") as file:
            # A name in another encoding than the system's is shown as far as it can be read.
            own = name or os.fsencode(Path(readable).name).decode(errors="replace")
            yield FileSource(file, own) if file.seekable() else StreamSource(_pull_of(file), own)
    elif isinstance(readable, AsyncIterable):
        pulling = _Pulling(aiter(readable), loop)
        try:
            yield StreamSource(pulling.next, name or "unnamed")
        finally:
            pulling.stop()
    elif isinstance(readable, io.TextIOBase):
        raise TypeError("open the file in binary mode, as in open(path, 'rb')")
    else:
        own = getattr(readable, "name", "")
        name = name or (Path(own).name if isinstance(own, str) else "") or "unnamed"
        yield FileSource(readable, name) if readable.seekable() else StreamSource(_pull_of(readable), name)


def _pull_of(pipe: BinaryIO) -> Callable[[], bytes]:
    """What is there by now, as far as the kind of file can tell; one that waits for more would hold up slow streams."""
    read: Callable[[int], bytes] = getattr(pipe, "read1", pipe.read)
    return lambda: read(_PULL)


class _Pulling:
    """Items of an asynchronous iterator, for a thread that waits for them."""

    def __init__(self, items: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self._items = items
        self._loop = loop
        self._next: asyncio.Task[bytes] | None = None
        self._stopped = False

    def next(self) -> bytes:
        return asyncio.run_coroutine_threadsafe(self._pull(), self._loop).result()

    def stop(self) -> None:
        self._stopped = True
        if self._next is not None:
            self._loop.call_soon_threadsafe(self._next.cancel)

    async def _pull(self) -> bytes:
        if self._stopped:
            raise ValueError("the upload has ended")
        self._next = asyncio.current_task()
        while True:
            content = await anext(self._items, None)
            if content is None:
                return b""
            if content:
                return bytes(content)
