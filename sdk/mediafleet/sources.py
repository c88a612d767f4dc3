"""Where the bytes of an upload come from: a path, a file object or bytes, read at any offset and hashed once."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

Readable = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO


class Source:
    """A file of known size, from where it stood when it was handed over. Threads may share it."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        """`file` can be read and sought."""
        self.name = name
        self._file = file
        self._start = file.tell()
        self.size = file.seek(0, os.SEEK_END) - self._start
        self._digest = hashlib.sha256()
        self._hashed = 0
        self._reading = threading.Lock()

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes at `offset`, fewer at the end; ValueError if the file was changed meanwhile."""
        with self._reading:
            while self._hashed < offset:  # sent by an earlier process: these bytes count for the digest too
                self._hash(self._hashed, self._bytes(self._hashed, min(size, offset - self._hashed)))
            content = self._bytes(offset, min(size, self.size - offset))
            self._hash(offset, content)
            return content

    def _bytes(self, offset: int, size: int) -> bytes:
        self._file.seek(self._start + offset)
        content = self._file.read(size)
        if len(content) < size:
            raise ValueError(f"{self.name} became shorter while it was read")
        return content

    def _hash(self, offset: int, content: bytes) -> None:
        fresh = memoryview(content)[self._hashed - offset :]
        self._digest.update(fresh)
        self._hashed += len(fresh)

    def sha256(self) -> bytes:
        """Of the whole file, once it was read to its end."""
        return self._digest.digest()


@contextmanager
def open_source(readable: Readable, name: str = "") -> Iterator[Source]:
    """Opens it for reading, `name` or else the file's own being the display name; a pipe is spooled to disk first."""
    if isinstance(readable, bytes | bytearray | memoryview):
        yield Source(io.BytesIO(readable), name or "unnamed")
    elif isinstance(readable, str | os.PathLike):
        with Path(readable).open("rb") as file:
            yield Source(file, name or Path(readable).name)
    elif isinstance(readable, io.TextIOBase):
        raise TypeError("open the file in binary mode, as in open(path, 'rb')")
    else:
        own = getattr(readable, "name", "")
        name = name or (Path(own).name if isinstance(own, str) else "") or "unnamed"
        if readable.seekable():
            yield Source(readable, name)
        else:
            with tempfile.TemporaryFile() as spool:
                shutil.copyfileobj(readable, spool)
                spool.seek(0)
                yield Source(spool, name)
