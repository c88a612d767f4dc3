"""CRC32C of joined pieces, from the CRC32C of each."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mediafleet_core.intake.crc32c import checksum, combine


@given(st.binary(), st.binary())
def test_the_checksum_of_two_pieces_is_that_of_their_bytes(first: bytes, second: bytes) -> None:
    assert combine(checksum(first), checksum(second), len(second)) == checksum(first + second)


def test_joining_zeros_again_and_again_reaches_lengths_that_no_test_could_hold() -> None:
    length, whole = 1, checksum(b"\0")
    for _ in range(43):
        length, whole = 2 * length, combine(whole, whole, length)
    half = checksum(b"\0")
    assert combine(combine(0, half, 1), 0, 0) == half
    assert combine(whole, 0, 0) == whole
    assert combine(0, whole, length) == whole


def test_the_known_answer() -> None:
    assert checksum(b"123456789") == 0xE3069283
