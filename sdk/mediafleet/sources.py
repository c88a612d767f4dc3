"""Where the bytes of an upload come from, hashed once on their way."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import stat
import threading
from collections.abc import AsyncIterable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias

from mediafleet.streams import AsyncSource, StreamSource

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

    async def ready(self, size: int) -> None:
        """Waits until `read` has the first `size` bytes at once, and meanwhile holds no thread that others need."""

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

    async def ready(self, size: int) -> None:
        """See `Source`: a file is there."""

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


@contextmanager
def open_source(readable: Readable, name: str, loop: asyncio.AbstractEventLoop) -> Iterator[Source]:
    """Opens it for reading, `name` or else the file's own being the display name; `loop` runs what is asynchronous."""
    if isinstance(readable, bytes | bytearray | memoryview):
        yield FileSource(io.BytesIO(readable), name or "unnamed")
    elif isinstance(readable, str | os.PathLike):
        # Unbuffered, as to close a buffer waits for whoever reads from it, and that one for who writes to a FIFO.
        with Path(readable).open("rb", buffering=0) as file:
            # A name in another encoding than the system's is shown as far as it can be read.
            own = name or os.fsencode(Path(readable).name).decode(errors="replace")
            if _has_a_size(file):
                yield FileSource(io.BufferedReader(file), own)
            else:
                yield StreamSource(lambda: file.read(_PULL), own)
    elif isinstance(readable, AsyncIterable):
        with closing(AsyncSource(aiter(readable), name or "unnamed", loop)) as source:
            yield source
    elif isinstance(readable, io.TextIOBase):
        raise TypeError("open the file in binary mode, as in open(path, 'rb')")
    elif not hasattr(readable, "read"):
        kinds = "a path, bytes, a file open in binary mode, or an asynchronous iterable of bytes"
        raise TypeError(f"a {type(readable).__name__} is no source; take {kinds}")
    elif not _has_a_size(readable) and not _waits(readable):
        raise TypeError("set the file to blocking mode: else its end looks like a wait for more")
    else:
        own = getattr(readable, "name", "")
        name = name or (Path(own).name if isinstance(own, str) else "") or "unnamed"
        yield FileSource(readable, name) if _has_a_size(readable) else StreamSource(_pull_of(readable), name)


def _has_a_size(file: BinaryIO) -> bool:
    """Whether its bytes can be sought. A device such as /dev/zero says that they can, and gives others each time."""
    raw = getattr(file, "raw", file)
    device = isinstance(raw, io.FileIO) and stat.S_ISCHR(os.fstat(raw.fileno()).st_mode)
    return hasattr(file, "seekable") and file.seekable() and not device


def _waits(file: BinaryIO) -> bool:
    """Whether it waits for bytes that are not there yet. Sockets do so by themselves, whatever the system says."""
    raw = getattr(file, "raw", file)
    return not isinstance(raw, io.FileIO) or os.get_blocking(raw.fileno())


def _pull_of(pipe: BinaryIO) -> Callable[[], bytes]:
    """What is there by now, as far as the kind of file can tell; one that waits for more would hold up slow streams."""
    read: Callable[[int], bytes] = getattr(pipe, "read1", pipe.read)
    return lambda: read(_PULL)
