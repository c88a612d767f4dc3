"""How an original is cut into equal parts. Pure."""

from __future__ import annotations

import msgspec

MIB = 1 << 20
MAX_PART_NUMBER = 10_000
PARTS_IN_FLIGHT = 3
"""Parts that one writer may have under way at once."""

_PLANNED_PARTS = 5_000
"""Half of the numbers: the other half is for the gaps that takeovers leave."""

SMALLEST_PART = 8 * MIB
DIRECT_PART = 64 * MIB


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One durable part of an original: its number in the multipart, offset and size in bytes, CRC32C and ETag."""

    number: int
    offset: int
    size: int
    crc32c: int
    etag: str


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes after the last whole part, stored as an object of their own at a clean half-close or drain."""

    key: str
    offset: int
    size: int
    crc32c: int


def part_size(size_bytes: int | None) -> int:
    """Bytes per part: 8 MiB until the declared size needs more, then whole MiB.

    Unknown sizes get 8 MiB, so an upload that does not declare its size ends at 10,000 x 8 MiB = 78 GiB.
    """
    if size_bytes is None:
        return SMALLEST_PART
    needed = -(-size_bytes // _PLANNED_PARTS)
    return max(SMALLEST_PART, -(-needed // MIB) * MIB)


def direct_part_size(size_bytes: int, smallest: int = DIRECT_PART) -> int:
    """Bytes per part of a direct upload: 64 MiB until the size needs more than 10,000 of them, then whole MiB."""
    needed = -(-size_bytes // MAX_PART_NUMBER)
    return max(smallest, -(-needed // MIB) * MIB)


def direct_part(size_bytes: int, part_size: int, number: int) -> int:
    """Bytes that part `number` of a direct upload has: all `part_size`, and the last one what is left."""
    return min(part_size, size_bytes - (number - 1) * part_size)
