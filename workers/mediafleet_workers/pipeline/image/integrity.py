"""Damage that decoding the first frame would not show: a PNG's broken chunks, a GIF that ends in a later frame."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from PIL import Image

from mediafleet_core.failures import FailureCode, ProcessingError
from mediafleet_workers.pipeline.image.damage import complaints
from mediafleet_workers.pipeline.image.work import Work

_IMAGE, _EXTENSION, _TRAILER = b",", b"!", b";"


def check_whole(work: Work) -> None:
    """Raise CORRUPT_MEDIA, TRUNCATED_MEDIA or FRAME_LIMIT. The other formats' decoders notice by themselves."""
    with complaints(work.job.source, work.format):
        match work.format:
            case "PNG":
                with Image.open(work.job.source, formats=["PNG"]) as image:
                    image.verify()
            case "GIF":
                with Path(work.job.source).open("rb") as file:
                    work.frames = count_gif_frames(file, work.job.limits.frames)


def count_gif_frames(file: BinaryIO, limit: int) -> int:
    """Frames of a GIF, read block by block without decoding; trailing bytes after its end are ignored.

    Raises FRAME_LIMIT at the first frame too many, OSError where the file ends early or a block is of no known kind.
    """
    header = _exactly(file, 13)
    _skip_colours(file, header[10])
    frames = 0
    while (block := _exactly(file, 1)) != _TRAILER:
        if block == _EXTENSION:
            _exactly(file, 1)
        elif block == _IMAGE:
            frames += 1
            if frames > limit:
                raise ProcessingError(FailureCode.FRAME_LIMIT, f"The limit is {limit} frames.")
            _skip_colours(file, _exactly(file, 9)[8])
            _exactly(file, 1)  # LZW code size
        elif block != b"\0":  # some writers pad
            raise OSError("unknown block")
        else:
            continue
        while size := _exactly(file, 1)[0]:
            _exactly(file, size)
    return frames


def _skip_colours(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        _exactly(file, 3 << ((flags & 7) + 1))


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise OSError("truncated")
    return data
