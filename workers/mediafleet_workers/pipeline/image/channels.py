"""Bring every way of storing pixels to 8 bits a channel, without palettes: L, LA, RGB, RGBA, CMYK or LAB."""

from __future__ import annotations

import math

from PIL import Image

from mediafleet_core.failures import FailureCode, ProcessingError
from mediafleet_workers.pipeline.image.work import Work

_PLAIN = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "LAB"})


def widen(work: Work) -> None:
    """Replace `image`, its ICC profile kept in `info`. Raises CORRUPT_MEDIA for values that are no numbers."""
    image = work.picture
    profile = image.info.get("icc_profile")
    widened = _widened(image)
    widened.info = {} if profile is None else {"icc_profile": profile}
    work.image = widened


def _widened(image: Image.Image) -> Image.Image:
    if image.has_transparency_data and image.mode != "RGBA":
        if image.mode.startswith("I;16"):
            return _grey_16_with_transparency(image)
        return image.convert("LA" if image.mode in ("1", "L", "LA", "La") else "RGBA")
    if image.mode in _PLAIN:
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith("I;16"):
        return _stretched(image, 0, 65535)
    if image.mode in ("I", "F"):
        return _stretched(image, *_range(image))
    return image.convert("RGB")


def _range(image: Image.Image) -> tuple[float, float]:
    """Black and white of 32-bit values, for which no format says where they lie: the extremes that occur."""
    low, high = image.getextrema()
    assert isinstance(low, (int, float))
    assert isinstance(high, (int, float))
    if not math.isfinite(low) or not math.isfinite(high):
        raise ProcessingError(FailureCode.CORRUPT_MEDIA, "Some pixels are no numbers.")
    return low, high


def _stretched(image: Image.Image, black: float, white: float) -> Image.Image:
    scale = 255 / (white - black) if white > black else 1.0
    wide = image if image.mode in ("I", "F") else image.convert("I")
    return wide.point(lambda value: value * scale - black * scale).convert("L")


def _grey_16_with_transparency(image: Image.Image) -> Image.Image:
    """One of the 65,536 greys stands for transparent; Pillow would compare it with 8 bits of each pixel."""
    transparent = image.info["transparency"]
    wide = image.convert("I")
    alpha = Image.new("L", image.size, 255)
    grey = _stretched(wide, 0, 65535)
    if isinstance(transparent, int):
        below = wide.point(lambda value: value * 1 - transparent)
        alpha = below.convert("L").point(lambda value: 255 if value else 0)
        above = wide.point(lambda value: value * -1 + transparent)
        alpha.paste(255, mask=above.convert("L").point(lambda value: 255 if value else 0))
    return Image.merge("LA", (grey, alpha))
