"""Whether bytes that are sent again are those that were stored. Pure."""

from __future__ import annotations

from typing import NamedTuple

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.intake import crc32c
from mediafleet_core.intake.cutting import Piece


class Stored(NamedTuple):
    """A durable stretch of the file, a part or the tail, and its CRC32C."""

    size: int
    crc32c: int


class Overlap:
    """Compares re-sent pieces with what is stored, wherever they cover a whole stored stretch without a gap."""

    def __init__(self) -> None:
        self._stored: dict[int, Stored] = {}
        self._start = 0
        self._next = -1
        self._crc32c = 0

    def add(self, offset: int, stored: Stored) -> None:
        """Remember a stretch; a longer one at the same offset takes its place."""
        self._stored[offset] = stored

    def check(self, piece: Piece) -> None:
        """Raise OVERLAP_MISMATCH when this piece completes a stretch that differs."""
        if piece.offset in self._stored:
            self._start, self._next, self._crc32c = piece.offset, piece.offset, 0
        if piece.offset != self._next:
            self._next = -1
            return
        self._next = piece.end
        self._crc32c = crc32c.combine(self._crc32c, piece.crc32c, len(piece.content))
        stored = self._stored[self._start]
        if piece.end - self._start == stored.size and self._crc32c != stored.crc32c:
            raise MediafleetError(
                Reason.OVERLAP_MISMATCH,
                f"bytes {self._start} to {piece.end} differ from those stored",
                metadata={"offset": str(self._start)},
            )
