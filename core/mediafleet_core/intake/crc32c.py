"""CRC32C (Castagnoli) of pieces, and of what they are when joined.

A CRC is a remainder of polynomials over GF(2): joining shifts the first by the length of the second, which is a
multiplication by x^(8 * length) and needs none of the bytes. Bits are reflected, as in zlib's crc32_combine.
"""

from __future__ import annotations

from functools import lru_cache

import google_crc32c

_POLYNOMIAL = 0x82F63B78
_ONE = 1 << 31


def checksum(content: bytes | memoryview) -> int:
    """CRC32C of `content` as an unsigned 32-bit number."""
    # The C extension takes bytes only. The copy costs as little as the sum, and a thread would cost more than both.
    return int(google_crc32c.value(content if isinstance(content, bytes) else bytes(content)))


def combine(first: int, second: int, second_length: int) -> int:
    """CRC32C of two joined pieces, from theirs and the length in bytes of the second."""
    return _multiply(_shift(second_length), first) ^ second


def _multiply(a: int, b: int) -> int:
    """a * b modulo the polynomial."""
    product = 0
    while a:
        if a & _ONE:
            product ^= b
        a = (a << 1) & 0xFFFFFFFF
        b = (b >> 1) ^ _POLYNOMIAL if b & 1 else b >> 1
    return product


def _squares() -> tuple[int, ...]:
    """x^(2^n) for every bit of a length in bits."""
    powers = [_ONE >> 1]
    while len(powers) < 67:
        powers.append(_multiply(powers[-1], powers[-1]))
    return tuple(powers)


_SQUARES = _squares()


@lru_cache(maxsize=256)
def _shift(length: int) -> int:
    """x^(8 * length)."""
    power = _ONE
    for bit in range(length.bit_length()):
        if length >> bit & 1:
            power = _multiply(_SQUARES[bit + 3], power)
    return power
