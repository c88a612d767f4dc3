"""The messages of WriteUpload, read without copying their content.

protobuf copies a bytes field twice, once to parse it and once to hand it out. These few fields are read here as views
of the frame; whatever looks unusual goes through the generated parser, which also decides what is malformed.
"""

from __future__ import annotations

from typing import NamedTuple

from mediafleet.v1 import uploads_pb2 as pb

# A field's number and wire type, as one byte.
_UPLOAD_ID = 1 << 3 | 2
_WRITE_OFFSET = 2 << 3
_CONTENT = 3 << 3 | 2
_CRC32C = 4 << 3 | 5
_FINISH_WRITE = 5 << 3

_LONGEST_VARINT = 9
"""Bytes; ten are a negative number, which is refused anyway."""

_LONGEST_LENGTH = 4

_NONE = pb.Checksums()


class Frame(NamedTuple):
    """One message of the stream; fields as in `WriteUploadRequest`, an absent CRC32C is None."""

    upload_id: str = ""
    write_offset: int = 0
    content: bytes | memoryview = b""
    crc32c: int | None = None
    finish_write: bool = False
    checksums: pb.Checksums = _NONE


def parse(raw: bytes) -> Frame:
    """The message in `raw`; its content is a view that keeps `raw` alive. Raises DecodeError."""
    try:
        return _parse(raw)
    except (_UnusualError, IndexError, UnicodeDecodeError):
        return _generated(raw)


class _UnusualError(Exception):
    """Nothing wrong, but nothing that writers usually send."""


def _parse(raw: bytes) -> Frame:
    upload_id, write_offset, content, crc32c, finish_write = "", 0, memoryview(b""), None, False
    view, at, end = memoryview(raw), 0, len(raw)
    while at < end:
        tag = raw[at]
        if tag == _CRC32C:
            at, start = at + 5, at + 1
            crc32c = int.from_bytes(raw[start:at], "little")
        else:
            value, at = _varint(raw, at + 1, _LONGEST_LENGTH if tag & 7 == 2 else _LONGEST_VARINT)
            if tag == _CONTENT:
                at, start = at + value, at
                content = view[start:at]
            elif tag == _UPLOAD_ID:
                at, start = at + value, at
                upload_id = raw[start:at].decode()
            elif tag == _WRITE_OFFSET:
                write_offset = value
            elif tag == _FINISH_WRITE:
                finish_write = value != 0
            else:
                raise _UnusualError
    if at > end:
        raise _UnusualError
    return Frame(upload_id, write_offset, content, crc32c, finish_write)


def _varint(raw: bytes, at: int, longest: int) -> tuple[int, int]:
    """The number at `at`, and where it ends."""
    value = 0
    for count in range(longest):
        byte = raw[at + count]
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, at + count + 1
    raise _UnusualError


def _generated(raw: bytes) -> Frame:
    message = pb.WriteUploadRequest.FromString(raw)
    return Frame(
        message.upload_id,
        message.write_offset,
        message.content,
        message.crc32c if message.HasField("crc32c") else None,
        message.finish_write,
        message.checksums,
    )
