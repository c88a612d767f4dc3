"""Chunks of any size become pieces that lie in one part each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.intake.crc32c import checksum
from mediafleet_core.intake.cutting import PartBuffer, Piece, cut, joined
from mediafleet_core.intake.overlap import Overlap, Stored


@given(st.binary(max_size=200), st.integers(0, 100), st.integers(1, 50), st.integers(0, 300))
def test_pieces_join_to_the_chunk_and_cross_no_bound(
    content: bytes, offset: int, part_size: int, received: int
) -> None:
    pieces = list(cut(offset, content, part_size, received))
    assert b"".join(piece.content for piece in pieces) == content
    assert joined(pieces) == checksum(content)
    for piece in pieces:
        assert piece.content
        assert piece.offset // part_size == (piece.end - 1) // part_size
        assert piece.end <= received or piece.offset >= received


@given(st.lists(st.integers(1, 100_000), max_size=6))
def test_a_buffer_holds_what_it_was_given(sizes: list[int]) -> None:
    buffer, offset, content = PartBuffer(0), 0, b""
    for number, size in enumerate(sizes):
        more = bytes([number]) * size
        buffer.append(Piece(offset, more, checksum(more)))
        offset, content = offset + size, content + more
    assert b"".join(buffer.chunks()) == content
    assert (buffer.size, buffer.crc32c) == (len(content), checksum(content))


def test_a_stream_of_single_bytes_does_not_cost_an_object_each() -> None:
    buffer = PartBuffer(0)
    for offset in range(1000):
        buffer.append(Piece(offset, b"x", checksum(b"x")))
    assert len(buffer.chunks()) == 1


def test_what_covers_a_stored_part_is_compared_and_what_covers_it_partly_is_not() -> None:
    overlap = Overlap()
    overlap.add(0, Stored(4, checksum(b"abcd")))
    overlap.add(4, Stored(4, checksum(b"efgh")))
    for piece in cut(0, b"abcd", 4, 8):
        overlap.check(piece)
    for piece in cut(2, b"XXef", 4, 8):
        overlap.check(piece)
    (last,) = cut(6, b"XX", 4, 8)
    with pytest.raises(MediafleetError) as caught:
        overlap.check(last)
    assert caught.value.reason is Reason.OVERLAP_MISMATCH
    assert caught.value.metadata["offset"] == "4"
