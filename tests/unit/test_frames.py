"""The hand-read messages of WriteUpload say what protobuf says, whatever arrives."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as st

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_gateway.frames import Frame, parse


def by_protobuf(raw: bytes) -> Frame:
    message = pb.WriteUploadRequest.FromString(raw)
    crc32c = message.crc32c if message.HasField("crc32c") else None
    return Frame(
        message.upload_id, message.write_offset, message.content, crc32c, message.finish_write, message.checksums
    )


def agree(raw: bytes) -> None:
    try:
        expected = by_protobuf(raw)
    except DecodeError:
        with pytest.raises(DecodeError):
            parse(raw)
    else:
        assert parse(raw) == expected


checksums = st.builds(pb.Checksums, crc32c=st.none() | st.integers(0, 2**32 - 1), sha256=st.binary(max_size=32))
messages = st.builds(
    pb.WriteUploadRequest,
    upload_id=st.text(max_size=40),
    write_offset=st.integers(-(2**63), 2**63 - 1),
    content=st.binary(max_size=300),
    crc32c=st.none() | st.integers(0, 2**32 - 1),
    finish_write=st.booleans(),
    checksums=st.none() | checksums,
)
# One field each, so that joining them gives every order, repetition and gap; protobuf joins messages by appending.
known = st.builds(
    lambda message, field: pb.WriteUploadRequest(**{field: getattr(message, field)}).SerializeToString(),
    messages,
    st.sampled_from([field.name for field in pb.WriteUploadRequest.DESCRIPTOR.fields]),
)


def varint(number: int) -> bytes:
    more, last = number >> 7, number & 0x7F
    return bytes([last | 0x80]) + varint(more) if more else bytes([last])


def unknown_field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


unknown = st.builds(unknown_field, st.integers(7, 5000), st.binary(max_size=40))


@given(messages)
def test_a_message_as_clients_write_it(message: pb.WriteUploadRequest) -> None:
    agree(message.SerializeToString())


@given(st.lists(known | unknown, max_size=8))
def test_any_order_and_repetition_and_fields_of_a_later_version(fields: list[bytes]) -> None:
    agree(b"".join(fields))


@given(messages, st.data())
def test_damaged(message: pb.WriteUploadRequest, data: st.DataObject) -> None:
    raw = bytearray(message.SerializeToString())
    for _ in range(data.draw(st.integers(0, 3)) if raw else 0):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    agree(bytes(raw[: data.draw(st.integers(0, len(raw)))]))


@given(st.binary(max_size=60))
@example(b"\x10\x80\x00")  # a longer varint than needed
@example(b"\x28\x80\x01")  # a bool that is neither 0 nor 1
@example(b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f")  # more than 64 bits
@example(b"\x1a\x05four")  # longer than the frame
@example(b"\x0a\x01\xff")  # no UTF-8
@example(b"\x25\x01\x02")  # three bytes short
@example(b"\x2a\x01a")  # a known field of another type
@example(b"\x1a\x80\x80\x80\x80\x80\x01")  # a length of six bytes
@example(b"\x1a\x80\x80\x80\x80\x80\x00")  # the same of a short content
@example(b"\x1a\x83\x80\x80\x00two")
def test_any_bytes(raw: bytes) -> None:
    agree(raw)


def test_content_is_not_copied() -> None:
    raw = pb.WriteUploadRequest(write_offset=7, content=b"content", crc32c=1).SerializeToString()
    content = parse(raw).content
    assert isinstance(content, memoryview)
    assert content.obj is raw
