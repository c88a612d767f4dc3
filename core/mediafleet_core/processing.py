"""What can be done with a picture, by name: the presets, the steps and the sizes of renditions. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from mediafleet_core.errors import invalid_field
from mediafleet_core.uploads import Processing, ProcessingStep

MOST_RENDITIONS = 16
LARGEST_EDGE = 4096
"""Pixels; a rendition's box is at most this wide and high."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_EDGE = re.compile(r"[1-9]\d{0,4}", re.ASCII)
_OPTIONS = frozenset({"name", "width", "height"})


class PictureSize(msgspec.Struct, frozen=True):
    """A box of `width` x `height` pixels that the rendition `name` fits into: aspect kept, never enlarged."""

    name: str
    width: int
    height: int


DEFAULT_SIZES = (
    PictureSize("small", 150, 150),
    PictureSize("medium", 300, 300),
    PictureSize("large", 800, 600),
    PictureSize("preview", 600, 600),
)

THUMBNAILS = "thumbnails"
ORIGINAL_ONLY = "original"
PRESETS = frozenset({"", THUMBNAILS, ORIGINAL_ONLY})
"""`thumbnails` makes every configured size and is meant by ""; `original` stores the file and makes nothing."""


def picture_sizes(
    processing: Processing, configured: Sequence[PictureSize] = DEFAULT_SIZES, *, field: str = "spec.processing"
) -> tuple[PictureSize, ...]:
    """The renditions that a picture gets, names unique. `field` is what a refusal calls the request's part.

    Steps are `thumbnail` with `name` (of a configured size), or with `width` and `height` and a `name` of one's own.
    Raises FIELD_INVALID for an unknown preset, step or option, a bad number, a repeated name, or too many.
    """
    if processing.preset not in PRESETS:
        raise invalid_field(f"{field}.preset", f"must be one of {', '.join(sorted(PRESETS - {''}))}, or empty")
    if not processing.steps:
        return () if processing.preset == ORIGINAL_ONLY else tuple(configured)
    if processing.preset:
        raise invalid_field(field, "a preset and steps exclude each other")
    if len(processing.steps) > MOST_RENDITIONS:
        raise invalid_field(f"{field}.steps", f"at most {MOST_RENDITIONS}")
    known = {size.name: size for size in configured}
    sizes = tuple(_size(step, known, f"{field}.steps[{n}]") for n, step in enumerate(processing.steps))
    if len({size.name for size in sizes}) < len(sizes):
        raise invalid_field(f"{field}.steps", "every rendition needs a name of its own")
    return sizes


def _size(step: ProcessingStep, known: Mapping[str, PictureSize], field: str) -> PictureSize:
    if step.name != "thumbnail":
        raise invalid_field(f"{field}.name", "must be thumbnail")
    if unknown := step.options.keys() - _OPTIONS:
        raise invalid_field(f"{field}.options", f"unknown: {', '.join(sorted(unknown))}; known: name, width, height")
    name = step.options.get("name", "")
    if name in known and len(step.options) == 1:
        return known[name]
    width, height = (_edge(step.options.get(edge, ""), f"{field}.options[{edge}]") for edge in ("width", "height"))
    name = name or f"{width}x{height}"
    if not _NAME.fullmatch(name):
        raise invalid_field(f"{field}.options[name]", "must be 1 to 32 of a-z, 0-9, dash, underscore")
    return PictureSize(name, width, height)


def _edge(text: str, field: str) -> int:
    if not _EDGE.fullmatch(text) or int(text) > LARGEST_EDGE:
        raise invalid_field(field, f"must be a whole number of pixels from 1 to {LARGEST_EDGE}")
    return int(text)
