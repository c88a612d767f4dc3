"""Generated files of the kinds that people send: pictures of every format, and files of which nothing is made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from tests.pictures import SUFFIXES, scene

_SAVING: Mapping[str, Mapping[str, Any]] = {
    "JPEG": {"quality": 90},
    "PNG": {"compress_level": 1},
    "WEBP": {"method": 0, "quality": 80},
    "GIF": {},
    "TIFF": {"compression": "tiff_lzw"},
}
_GRAIN = 512
"""Pixels along each side of the patch of noise that is repeated: without any, files would be far too small."""


def picture(folder: Path, format_name: str, megapixels: float, name: str = "") -> Path:
    """A picture of 4 to 3 with the grain of a photograph."""
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    height = round(width * 3 / 4)
    path = folder / f"{name or f'{format_name.lower()}-{megapixels:g}'}.{SUFFIXES[format_name]}"
    grain = Image.merge("RGB", [Image.effect_noise((_GRAIN, _GRAIN), 24)] * 3)
    noise = Image.new("RGB", (width, height))
    for left in range(0, width, _GRAIN):
        for top in range(0, height, _GRAIN):
            noise.paste(grain, (left, top))
    made = Image.blend(scene(width, height), noise, 0.15)
    del noise
    (made.convert("P") if format_name == "GIF" else made).save(path, format_name, **_SAVING[format_name])
    return path


def plain(folder: Path, size: int, name: str = "") -> Path:
    """A file of random bytes."""
    path = folder / f"{name or f'plain-{size}'}.bin"
    with path.open("wb") as file:
        for begin in range(0, size, 1 << 20):
            file.write(os.urandom(min(1 << 20, size - begin)))
    return path
