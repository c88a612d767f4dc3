"""What the file says about its picture. Nothing of it reaches a rendition."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from PIL import ExifTags, Image

from mediafleet_core.uploads import ImageInfo
from mediafleet_workers.pipeline.image.orientation import swaps_sides
from mediafleet_workers.pipeline.image.work import Work

_LONGEST_TEXT = 100


def read_metadata(work: Work) -> None:
    """Set `info` and `orientation`."""
    image = work.picture
    exif = _read_exif(image)
    stored = exif.get(ExifTags.Base.Orientation)
    orientation = stored if isinstance(stored, int) and 1 <= stored <= 8 else 1
    # Pillow turns a TIFF while it decodes it, and says so in its size already.
    work.orientation = 1 if work.format == "TIFF" else orientation
    width, height = image.size
    if swaps_sides(work.orientation):
        width, height = height, width
    work.info = ImageInfo(
        width=width,
        height=height,
        format=work.format,
        mode=image.mode,
        frames=work.frames,
        orientation=orientation,
        has_alpha=image.has_transparency_data,
        camera_make=_text(exif.get(ExifTags.Base.Make)),
        camera_model=_text(exif.get(ExifTags.Base.Model)),
        taken_time=_taken(exif),
        has_location=_has_location(image, exif),
    )


def _read_exif(image: Image.Image) -> Image.Exif:
    # Damaged EXIF is no reason to refuse a picture, and Pillow raises whatever its parser met.
    try:
        return image.getexif()
    except Exception:
        return Image.Exif()


def _ifd(exif: Image.Exif, which: int) -> dict[int, Any]:
    try:
        return dict(exif.get_ifd(which))
    except Exception:
        return {}


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return "".join(character for character in value if character.isprintable()).strip()[:_LONGEST_TEXT]


def _taken(exif: Image.Exif) -> datetime | None:
    details = _ifd(exif, ExifTags.IFD.Exif)
    moment = _text(details.get(ExifTags.Base.DateTimeOriginal)) or _text(exif.get(ExifTags.Base.DateTime))
    offset = _text(details.get(ExifTags.Base.OffsetTimeOriginal))
    day, _, time = moment.partition(" ")
    for zone in (offset, "+00:00"):
        with suppress(ValueError):  # not strptime: it imports at its first call, which a sandbox forbids
            taken = datetime.fromisoformat(f"{day.replace(':', '-')}T{time}{zone}")
            return taken if taken.tzinfo is not None else taken.replace(tzinfo=UTC)
    return None


def _has_location(image: Image.Image, exif: Image.Exif) -> bool:
    xmp = image.info.get("xmp", b"")
    return bool(_ifd(exif, ExifTags.IFD.GPSInfo)) or (isinstance(xmp, bytes) and b"exif:GPSLatitude" in xmp)
