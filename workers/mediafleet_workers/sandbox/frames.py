"""Hearing out a child that may say anything."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from mediafleet_workers.sandbox.messages import FRAME_HEADER, MAX_FRAME, MAX_SPOKEN, Failed, Tag

_CHUNK = 64 * 1024
_failed = msgspec.json.Decoder(Failed)
_lacking = msgspec.json.Decoder(list[str])


class SpokeWrongly(Exception):
    """What came is no frame, or too much."""


@dataclass
class Spoken:
    """What a child said in the end: a result, or why not (neither, if it died first); and what could not be locked."""

    result: bytes | None = None
    failed: Failed | None = None
    lacking: list[str] = field(default_factory=list)


async def listen(pipe: int, report: Callable[[bytes], None]) -> Spoken:
    """Everything until the child's end of the pipe closes; progress goes to `report` as it comes.

    Raises SpokeWrongly. The pipe stays open.
    """
    spoken = Spoken()
    unread = bytearray()
    total = 0
    os.set_blocking(pipe, False)
    while chunk := await _read(pipe):
        unread += chunk
        total += len(chunk)
        if total > MAX_SPOKEN:
            raise SpokeWrongly(f"more than {MAX_SPOKEN} bytes")
        while (frame := _take(unread)) is not None:
            _understand(*frame, spoken, report)
    return spoken


async def _read(pipe: int) -> bytes:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(pipe, readable.set)
    try:
        while True:
            try:
                return os.read(pipe, _CHUNK)
            except BlockingIOError:
                readable.clear()
                await readable.wait()
    finally:
        loop.remove_reader(pipe)


def _take(unread: bytearray) -> tuple[bytes, bytes] | None:
    if len(unread) < FRAME_HEADER.size:
        return None
    tag, length = FRAME_HEADER.unpack_from(unread)
    if length > MAX_FRAME:
        raise SpokeWrongly(f"a frame of {length} bytes")
    end = FRAME_HEADER.size + length
    if len(unread) < end:
        return None
    content = bytes(unread[FRAME_HEADER.size : end])
    del unread[:end]
    return tag, content


def _understand(tag: bytes, content: bytes, spoken: Spoken, report: Callable[[bytes], None]) -> None:
    try:
        match tag:
            case Tag.PROGRESS.value:
                report(content)
            case Tag.RESULT.value:
                spoken.result = content
            case Tag.FAILED.value:
                spoken.failed = _failed.decode(content)
            case Tag.LACKING.value:
                spoken.lacking = _lacking.decode(content)
            case _:
                raise SpokeWrongly(f"an unknown frame {tag!r}")
    except msgspec.DecodeError as error:
        raise SpokeWrongly(str(error)) from error
