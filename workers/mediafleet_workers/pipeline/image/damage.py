"""What a decoder's complaint means: the file ends early, or it is damaged."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from mediafleet_core.failures import FailureCode, ProcessingError

COMPLAINTS = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError),
    *(struct.error, zlib.error),
)
"""What Pillow's decoders raise on bad files; the type tells nothing of the damage."""

_TAIL = 64


@contextmanager
def complaints(path: str, pillow_format: str) -> Iterator[None]:
    """Turn what a decoder raises into TRUNCATED_MEDIA or CORRUPT_MEDIA."""
    try:
        yield
    except (ProcessingError, Image.DecompressionBombError):
        raise
    except COMPLAINTS as error:
        early = "truncated" in str(error).lower() or ends_early(Path(path), pillow_format)
        code = FailureCode.TRUNCATED_MEDIA if early else FailureCode.CORRUPT_MEDIA
        raise ProcessingError(code, evidence=f"{type(error).__name__}: {str(error)[:200]}") from error


def ends_early(path: Path, pillow_format: str) -> bool:
    """Whether a file that cannot be decoded lacks its end, by what its format promises to be there."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(16)
        file.seek(max(0, size - _TAIL))
        tail = file.read().rstrip(b"\0")
    match pillow_format:
        case "JPEG":
            return not tail.endswith(b"\xff\xd9")
        case "PNG":
            return b"IEND" not in tail
        case "GIF":
            return not tail.endswith(b";")
        case "WEBP":
            return size < int.from_bytes(head[4:8], "little") + 8
        case "TIFF":
            order = "little" if head.startswith(b"II") else "big"
            return size < 8 or int.from_bytes(head[4:8], order) >= size  # type: ignore[arg-type]
        case _:
            return False
