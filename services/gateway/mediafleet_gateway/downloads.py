"""Which object a download means, and under which name it is saved. Pure."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import NamedTuple

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.media_types import UNTYPED, declared_type
from mediafleet_core.uploads import State, Upload

_UNTYPED = "application/octet-stream"

_SHOWN = re.compile(
    r"image/(jpeg|png|gif|webp|avif|heic|heif|tiff|bmp)|audio/[\w.+-]+|video/[\w.+-]+|application/pdf|text/plain"
)
"""What a browser may show in place. Everything else, HTML and SVG above all, could act as a page of the bucket's
domain, so it is only ever saved."""


class Download(NamedTuple):
    """One object to hand out: its size in bytes as the record has it; `shown` if a browser may open it in place."""

    key: str
    size: int | None
    file_name: str
    content_type: str
    shown: bool


def _download(key: str, size: int | None, file_name: str, content_type: str) -> Download:
    shown = _SHOWN.fullmatch(content_type.split(";", 1)[0].strip().lower()) is not None
    return Download(key, size, file_name, content_type if shown else _UNTYPED, shown)


def choose(upload: Upload, rendition: str) -> Download:
    """The original (`rendition` empty) once it is durable, or a rendition once the upload SUCCEEDED.

    Raises UPLOAD_EXPIRED, UPLOAD_NOT_FINISHED, ORIGINAL_MISSING, RENDITION_NOT_FOUND.
    """
    if upload.state is State.EXPIRED:
        raise _refused(Reason.UPLOAD_EXPIRED, "the upload was not finished in time and is gone", upload)
    return _rendition(upload, rendition) if rendition else _original(upload)


def _original(upload: Upload) -> Download:
    if not upload.original_key:
        if upload.state is State.RECEIVING:
            raise _refused(Reason.UPLOAD_NOT_FINISHED, "the upload is still being received", upload)
        raise _refused(Reason.ORIGINAL_MISSING, "the original is not kept", upload)
    name = upload.spec.display_name
    declared = declared_type(upload.spec.content_type, name)
    return _download(
        upload.original_key,
        upload.size_bytes,
        name,
        upload.content_type or (declared if declared not in UNTYPED else _UNTYPED),
    )


def _rendition(upload: Upload, name: str) -> Download:
    if not upload.state.terminal:
        raise _refused(Reason.UPLOAD_NOT_FINISHED, "renditions are there when the upload has succeeded", upload)
    for made in upload.renditions:
        if made.name == name:
            stem = PurePosixPath(upload.spec.display_name).stem
            file_name = f"{stem}-{made.name}{PurePosixPath(made.key).suffix}"
            return _download(made.key, made.size_bytes, file_name, made.content_type)
    raise _refused(Reason.RENDITION_NOT_FOUND, "the upload has no such rendition", upload)


def _refused(reason: Reason, message: str, upload: Upload) -> MediafleetError:
    return MediafleetError(reason, message, metadata={"uploadId": upload.upload_id, "state": upload.state})
