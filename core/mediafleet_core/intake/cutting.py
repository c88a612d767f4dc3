"""How a stream of chunks is cut again into equal parts. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mediafleet_core.intake import crc32c

_SMALL = 64 << 10
"""Chunks below this are joined, so that a stream of tiny ones does not cost an object each."""


class Piece(NamedTuple):
    """Bytes that lie in one part and on one side of what was received before; CRC32C of its content."""

    offset: int
    content: bytes | memoryview
    crc32c: int

    @property
    def end(self) -> int:
        """Offset of the first byte after it."""
        return self.offset + len(self.content)


def cut(offset: int, content: bytes | memoryview, part_size: int, received: int) -> Iterator[Piece]:
    """Cut at the bounds of parts (multiples of `part_size`) and at `received`; a chunk within is not copied."""
    end = offset + len(content)
    start = offset
    while start < end:
        stop = min(end, start - start % part_size + part_size)
        if start < received < stop:
            stop = received
        piece = content[start - offset : stop - offset]
        yield Piece(start, piece, crc32c.checksum(piece))
        start = stop


def joined(pieces: list[Piece]) -> int:
    """CRC32C of adjoining pieces as a whole."""
    whole = 0
    for piece in pieces:
        whole = crc32c.combine(whole, piece.crc32c, len(piece.content))
    return whole


class PartBuffer:
    """A part that fills: where it begins, what it holds, and the CRC32C of that."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.size = 0
        self.crc32c = 0
        self._chunks: list[bytes | memoryview] = []
        self._small = bytearray()

    def append(self, piece: Piece) -> None:
        """Add what follows."""
        if len(piece.content) < _SMALL:
            self._small += piece.content
        else:
            self._join_small()
            self._chunks.append(piece.content)
        self.crc32c = crc32c.combine(self.crc32c, piece.crc32c, len(piece.content))
        self.size += len(piece.content)

    def chunks(self) -> list[bytes | memoryview]:
        """The content, in order."""
        self._join_small()
        return self._chunks

    def _join_small(self) -> None:
        if self._small:
            self._chunks.append(bytes(self._small))
            self._small.clear()
