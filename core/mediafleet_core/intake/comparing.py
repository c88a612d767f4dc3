"""Whether the parts that a client names are those that the storage holds, and make the file that was declared. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mediafleet_core.errors import MediafleetError, Reason, invalid_field
from mediafleet_core.parts import Part, direct_part
from mediafleet_core.ports import StoredPart

_MOST_TOLD = 100
"""Numbers that one error names; its metadata travel in a trailer."""


class NamedPart(NamedTuple):
    """A part as the client names it: the ETag without quotes; CRC32C as far as it says."""

    number: int
    etag: str
    crc32c: int | None = None


def compared(size: int, part_size: int, stored: Sequence[StoredPart], named: Sequence[NamedPart]) -> tuple[Part, ...]:
    """The parts of a file of `size` bytes, in order and without a gap.

    Raises PART_MISMATCH with the numbers of parts that are `missing`, `different` or `unexpected`; FIELD_INVALID for a
    part whose CRC32C nobody tells.
    """
    by_number = {part.number: part for part in stored}
    named_by_number = {part.number: part for part in named}
    expected = range(1, -(-size // part_size) + 1)
    missing: list[int] = []
    different: list[int] = []
    parts: list[Part] = []
    for number in expected:
        there, wanted = by_number.get(number), named_by_number.get(number)
        if there is None or wanted is None:
            missing.append(number)
            continue
        length = direct_part(size, part_size, number)
        checksums = {checksum for checksum in (there.crc32c, wanted.crc32c) if checksum is not None}
        if there.size != length or there.etag != wanted.etag or len(checksums) > 1:
            different.append(number)
        elif not checksums:
            raise invalid_field(f"parts[{named.index(wanted)}].crc32c", "is needed: this storage does not tell it")
        else:
            offset = (number - 1) * part_size
            parts.append(Part(number=number, offset=offset, size=length, crc32c=checksums.pop(), etag=there.etag))
    problems = {"missing": missing, "different": different, "unexpected": sorted(set(named_by_number) - set(expected))}
    if any(problems.values()):
        told = {name: ",".join(map(str, numbers[:_MOST_TOLD])) for name, numbers in problems.items() if numbers}
        text = "; ".join(f"{name}: {numbers}" for name, numbers in told.items())
        raise MediafleetError(Reason.PART_MISMATCH, f"the parts named are not those stored ({text})", metadata=told)
    return tuple(parts)
