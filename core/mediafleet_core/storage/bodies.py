"""Bodies in pieces, without joining them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import google_crc32c

CHUNK = 1 << 20
"""Bytes that reads and copies move at once."""

UNTYPED = "application/octet-stream"
"""The content type of a body for which none is named."""


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
