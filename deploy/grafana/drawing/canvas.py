"""A picture in the colours of Grafana's dark theme, drawn at twice its size and then reduced."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

COLOURS: Final = {
    "page": "#111217",
    "panel": "#181b1f",
    "border": "#2c2f36",
    "grid": "#2a2d33",
    "text": "#ccccdc",
    "weak": "#8e8e9e",
    "green": "#56a64b",
    "orange": "#ff9830",
    "red": "#e02f44",
    "blue": "#3274d9",
}
SERIES: Final = (
    "#73bf69",
    "#f2cc0c",
    "#8ab8ff",
    "#ff780a",
    "#f2495c",
    "#5794f2",
    "#b877d9",
    "#705da0",
    "#37872d",
    "#fade2a",
    "#c8f2c2",
    "#447ebc",
)
_SCALE: Final = 2
Point = tuple[float, float]


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size * _SCALE)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


class Canvas:
    """Coordinates are those of the finished picture; colours are `#rrggbb`, opacity 0 to 255."""

    def __init__(self, width: int, height: int) -> None:
        """An empty page."""
        self._image = Image.new("RGB", (width * _SCALE, height * _SCALE), COLOURS["page"])
        self._draw = ImageDraw.Draw(self._image, "RGBA")

    def text(self, at: Point, content: str, size: int = 12, colour: str = COLOURS["text"], anchor: str = "la") -> None:
        """`anchor` as Pillow has it: left, middle or right, then ascender, middle or baseline."""
        x, y = at
        self._draw.text((x * _SCALE, y * _SCALE), content, fill=colour, font=_font(size), anchor=anchor)

    def width(self, content: str, size: int = 12) -> float:
        """Of a text."""
        return _font(size).getlength(content) / _SCALE

    def fitted(self, content: str, width: float, size: int = 12) -> str:
        """The text, shortened to the width."""
        while content and self.width(content, size) > width:
            content = content.removesuffix("...")[:-1] + "..."
            if content == "...":
                return ""
        return content

    def line(self, points: Sequence[Point], colour: str, width: float = 1.4) -> None:
        """Through all points."""
        self._draw.line(_scaled(points), fill=colour, width=round(width * _SCALE), joint="curve")

    def dashes(self, start: Point, length: float, colour: str) -> None:
        """A horizontal dashed line."""
        x, y = start
        for offset in range(0, int(length), 9):
            self.line([(x + offset, y), (x + min(offset + 5, length), y)], colour, 1)

    def area(self, points: Sequence[Point], colour: str, opacity: int) -> None:
        """A filled polygon."""
        if len(points) > 2:
            self._draw.polygon(_scaled(points), fill=_faded(colour, opacity))

    def box(self, at: Point, size: Point, colour: str, *, border: str = "", radius: int = 0) -> None:
        """A filled rectangle."""
        (x, y), (width, height) = at, size
        corners = _scaled([(x, y), (x + width, y + height)])
        self._draw.rounded_rectangle(corners, radius * _SCALE, fill=colour, outline=border or None, width=_SCALE // 2)

    def save(self, path: Path) -> None:
        """As a PNG of few colours."""
        size = self._image.width // _SCALE, self._image.height // _SCALE
        small = self._image.resize(size, Image.Resampling.LANCZOS)
        rest = small.quantize(256 - len(_EXACT), dither=Image.Dither.NONE).getpalette() or []
        palette = Image.new("P", (1, 1))
        palette.putpalette([*(part for colour in _EXACT for part in _parts(colour)), *rest])
        small.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)


def mixed(low: str, high: str, share: float) -> str:
    """A colour between two."""
    pairs = zip(_parts(low), _parts(high), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _parts(colour: str) -> list[int]:
    return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]


def _faded(colour: str, opacity: int) -> tuple[int, ...]:
    return (*_parts(colour), opacity)


def _scaled(points: Sequence[Point]) -> list[Point]:
    return [(x * _SCALE, y * _SCALE) for x, y in points]


_EXACT: Final = tuple(
    dict.fromkeys(
        [
            *COLOURS.values(),
            *SERIES,
            *(mixed(COLOURS["panel"], colour, share) for colour in SERIES for share in (0.05, 0.3)),
            *(mixed(COLOURS["panel"], COLOURS[name], 0.75) for name in ("green", "orange", "red", "blue")),
        ]
    )
)
"""Colours that stay as they are when a picture is reduced to few."""
