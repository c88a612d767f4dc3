"""Bodies in pieces, without joining them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import google_crc32c

from mediafleet_core.ports import Chunks

CHUNK = 1 << 20
"""Bytes that reads and copies move at once."""


def crc32c_of(chunks: Iterable[bytes | memoryview], crc32c: int = 0) -> int:
    """CRC32C of the joined chunks, going on from `crc32c`."""
    for chunk in chunks:
        # The C extension takes bytes only.
        crc32c = google_crc32c.extend(crc32c, chunk if isinstance(chunk, bytes) else bytes(chunk))
    return crc32c


def pieces_of(path: Path) -> Iterable[bytes]:
    """The file's content in chunks."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


class ChunkReader:
    """The part of a binary file that HTTP clients use, over chunks; what it returns are views, not copies."""

    def __init__(self, chunks: Chunks) -> None:
        """Starts at the first byte."""
        self._views = [view for chunk in chunks if (view := memoryview(chunk)).nbytes]
        self._size = sum(view.nbytes for view in self._views)
        self._position = self._index = self._within = 0

    def __len__(self) -> int:
        return self._size

    def tell(self) -> int:
        """Bytes from the start."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move as files do."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}
        self._position = max(0, base[whence] + offset)
        self._index, self._within = 0, self._position
        while self._index < len(self._views) and self._within >= self._views[self._index].nbytes:
            self._within -= self._views[self._index].nbytes
            self._index += 1
        return self._position

    def read(self, size: int = -1) -> bytes | memoryview:
        """At most `size` bytes (a negative size: of the current chunk, all); empty at the end."""
        if self._index == len(self._views):
            return b""
        view = self._views[self._index]
        piece = view[self._within :] if size < 0 else view[self._within : self._within + size]
        self._position += piece.nbytes
        self._within += piece.nbytes
        if self._within == view.nbytes:
            self._index, self._within = self._index + 1, 0
        return piece
