"""What a file is by its first bytes, and whether that agrees with what the caller claims."""

from __future__ import annotations

from pathlib import PurePath

import filetype

from mediafleet_core.failures import FailureCode, ProcessingError
from mediafleet_core.media_types import UNTYPED, MediaKind, declared_type, essence, kind_of
from mediafleet_workers.pipeline.job import PipelineJob

SUPPORTED_IMAGES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/tiff"})
"""Pictures that get renditions."""

_SAME = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/apng": "image/png",
    "image/x-png": "image/png",
    "image/tif": "image/tiff",
    "image/x-tif": "image/tiff",
    "image/x-tiff": "image/tiff",
}
_BIG_TIFF = (b"II\x2b\x00", b"MM\x00\x2b")
CONTAINERS = frozenset({"application/zip", "application/gzip"})
"""Types that say little about a file: many formats are one of these inside."""

_CAMERA_RAW = frozenset({".arw", ".cr2", ".dcr", ".dng", ".iiq", ".kdc", ".nef", ".nrw", ".pef", ".srf", ".srw"})
_MEDIA = frozenset({MediaKind.IMAGE, MediaKind.AUDIO, MediaKind.VIDEO, MediaKind.DOCUMENT})
_TIMED = frozenset({MediaKind.AUDIO, MediaKind.VIDEO})


def canonical(content_type: str) -> str:
    """One spelling per type, without parameters; "" for a declaration that says nothing."""
    bare = essence(content_type)
    return "" if bare in UNTYPED else _SAME.get(bare, bare)


def found_type(head: bytes) -> str:
    """The content type that the first bytes tell; "" if they tell nothing."""
    if head.startswith(_BIG_TIFF):
        return "image/tiff"
    return canonical(filetype.guess_mime(bytearray(head)) or "")  # type: ignore[no-untyped-call]


def is_camera_raw(job: PipelineJob, found: str) -> bool:
    """Whether a TIFF is really a camera's raw file: its first page is then a stamp-sized preview, not the picture."""
    if found != "image/tiff":
        return False
    declared = canonical(job.declared_type)
    return declared.startswith("image/x-") or PurePath(job.display_name).suffix.lower() in _CAMERA_RAW


def check_claims(job: PipelineJob, found: str, *, empty: bool = False) -> None:
    """Raise CONTENT_TYPE_MISMATCH if the content is not what the declaration or the file name's extension says.

    One supported picture format in place of another is no mismatch: the type that was found goes on record.
    """
    for claim in {canonical(job.declared_type), canonical(declared_type("", job.display_name))} - {""}:
        if not _agree(claim, found):
            raise ProcessingError(
                FailureCode.CONTENT_TYPE_MISMATCH,
                f"The file claims to be {claim}, "
                + ("but it is empty." if empty else f"its content is {found or 'of no known type'}."),
            )


def _agree(claim: str, found: str) -> bool:
    if claim in SUPPORTED_IMAGES:
        return found in SUPPORTED_IMAGES
    claimed, actual = kind_of(claim), kind_of(found)
    if claimed is MediaKind.IMAGE:  # one without a pipeline: the sniffer may not know it, or only its container
        return actual is MediaKind.IMAGE or not found or found in CONTAINERS
    if claimed not in _MEDIA or actual not in _MEDIA:
        return True
    return claimed is actual or {claimed, actual} <= _TIMED
