"""Open a picture: its header alone is read, and what it promises is held to the limits before anything is decoded."""

from __future__ import annotations

import mmap
from contextlib import suppress

from PIL import GifImagePlugin, Image, JpegImagePlugin, MpoImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from mediafleet_core.failures import FailureCode, ProcessingError
from mediafleet_workers.pipeline.image.damage import COMPLAINTS, complaints
from mediafleet_workers.pipeline.image.work import Work

# Pillow imports plugins and mmap when it first needs them, which a sandbox forbids.
Image.preinit()
PRELOADED = (GifImagePlugin, JpegImagePlugin, MpoImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin, mmap)


def open_within_limits(work: Work) -> None:
    """Set `image` and `frames`. Raises PIXEL_LIMIT, FRAME_LIMIT, CORRUPT_MEDIA, TRUNCATED_MEDIA.

    Only the format that the first bytes tell may answer, so the decoder agrees with the type on record. A JPEG that
    carries further pictures (MPO) is opened by Pillow's JPEG plugin and counts as its first picture.
    """
    limits = work.job.limits
    with complaints(work.job.source, work.format):
        image = Image.open(work.job.source, formats=[work.format])
    work.image = image
    pixels = image.width * image.height
    if pixels > limits.pixels:
        raise ProcessingError(
            FailureCode.PIXEL_LIMIT, f"It is {image.width} x {image.height}; the limit is {limits.pixels} pixels."
        )
    with complaints(work.job.source, work.format):
        work.frames = _count_frames(image, work.frames, limits.frames)
    work.opened()


def _count_frames(image: Image.Image, counted: int, limit: int) -> int:
    match image.format:
        case "PNG" | "WEBP":
            counted = int(getattr(image, "n_frames", 1))
        case "TIFF":
            counted = _count_pages(image, limit)
    if counted > limit:
        raise ProcessingError(FailureCode.FRAME_LIMIT, f"The limit is {limit} frames.")
    return counted


def _count_pages(image: Image.Image, limit: int) -> int:
    """Pages of a TIFF, counted one by one to one beyond the limit; one that Pillow cannot show ends the count."""
    pages = 1
    with suppress(*COMPLAINTS):
        while pages <= limit:
            image.seek(pages)
            pages += 1
    image.seek(0)
    return pages
