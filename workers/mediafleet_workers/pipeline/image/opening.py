"""Open a picture: its header alone is read, and what it promises is held to the limits before anything is decoded."""

from __future__ import annotations

from PIL import GifImagePlugin, Image, JpegImagePlugin, MpoImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from mediafleet_core.failures import FailureCode, ProcessingError
from mediafleet_workers.pipeline.image.damage import complaints
from mediafleet_workers.pipeline.image.work import Work

# Pillow imports plugins when it first needs them, which a sandbox forbids.
Image.preinit()
PLUGINS = (GifImagePlugin, JpegImagePlugin, MpoImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin)


def open_within_limits(work: Work) -> None:
    """Set `image`. Raises PIXEL_LIMIT, FRAME_LIMIT, CORRUPT_MEDIA, TRUNCATED_MEDIA.

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
        _check_frames(image, work.format, limits.frames)


def _check_frames(image: Image.Image, pillow_format: str, limit: int) -> None:
    if pillow_format == "TIFF":  # its number of pages is known only by walking them all
        try:
            image.seek(limit)
        except EOFError:
            image.seek(0)
            return
    elif pillow_format == "GIF" or getattr(image, "n_frames", 1) <= limit:  # a GIF's were counted before
        return
    raise ProcessingError(FailureCode.FRAME_LIMIT, f"The limit is {limit} frames.")
