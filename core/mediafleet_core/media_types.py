"""Kinds of media and the content types behind them."""

from __future__ import annotations

import mimetypes
from enum import StrEnum
from functools import lru_cache


class MediaKind(StrEnum):
    """What a file is to mediafleet; each kind has its own queue of work."""

    IMAGE = "IMAGE"
    AUDIO = "AUDIO"
    VIDEO = "VIDEO"
    DOCUMENT = "DOCUMENT"
    OTHER = "OTHER"


_BY_PREFIX = {"image": MediaKind.IMAGE, "audio": MediaKind.AUDIO, "video": MediaKind.VIDEO}
_DOCUMENTS = frozenset({"application/pdf"})

# Python's own table, and not the machine's, which differs from one to the next and which the sandbox cannot read.
_BY_EXTENSION = mimetypes.MimeTypes()

UNTYPED = frozenset({"", "application/octet-stream", "binary/octet-stream"})
"""Declarations that say nothing about the content."""


def essence(content_type: str) -> str:
    """Type and subtype in lower case, without parameters such as charset."""
    return content_type.partition(";")[0].strip().lower()


def kind_of(content_type: str) -> MediaKind:
    """The kind of a content type; OTHER if nothing is known of it."""
    bare = essence(content_type)
    if bare in _DOCUMENTS:
        return MediaKind.DOCUMENT
    return _BY_PREFIX.get(bare.partition("/")[0], MediaKind.OTHER)


@lru_cache(maxsize=1024)  # asked several times of each upload, and guessing is slow
def declared_type(content_type: str, display_name: str) -> str:
    """The content type that the caller declares: in words, or by the file name's extension; "" if neither."""
    if content_type.lower() not in UNTYPED:
        return content_type.lower()
    return _BY_EXTENSION.guess_type(display_name, strict=False)[0] or ""
