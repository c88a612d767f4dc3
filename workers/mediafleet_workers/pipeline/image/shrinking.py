"""Shrink to the largest rendition, so that colours are converted for few pixels."""

from __future__ import annotations

from PIL import Image

from mediafleet_workers.pipeline.image.decoding import REDUCING_GAP
from mediafleet_workers.pipeline.image.work import Work

_PREMULTIPLIED = {"RGBA": "RGBa", "LA": "La"}


def shrink(work: Work) -> None:
    """Replace `image` by one of the first target's stored size."""
    if work.targets:
        work.image = resized(work.picture, work.targets[0].stored, work.extent)
        work.extent = None


def resized(image: Image.Image, size: tuple[int, int], extent: tuple[float, float] | None = None) -> Image.Image:
    """The picture (or the part `extent` of it) in `size`; colours of transparent pixels do not bleed."""
    if size == image.size and extent in (None, image.size):
        return image
    mode = image.mode
    return (
        image.convert(_PREMULTIPLIED.get(mode, mode))
        .resize(size, Image.Resampling.LANCZOS, box=(0.0, 0.0, *(extent or image.size)), reducing_gap=REDUCING_GAP)
        .convert(mode)
    )
