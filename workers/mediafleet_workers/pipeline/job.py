"""What a pipeline is asked, what it tells on the way, and what it hands back; all of it travels as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from mediafleet_core.media_types import MediaKind
from mediafleet_core.processing import DEFAULT_SIZES, PictureSize
from mediafleet_core.uploads import MediaInfo, Processing


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a file may ask of a decoder: pixels of one frame, and frames (or pages)."""

    pixels: int = 120_000_000
    frames: int = 2_000


class PipelineJob(msgspec.Struct, frozen=True, kw_only=True):
    """One file to process: `source` is read only, renditions go into the folder `target`, which exists.

    `declared_type` is what the caller said or the file name's extension means ("" = nothing); `sizes` are the picture
    sizes that the `thumbnails` preset makes.
    """

    source: str
    target: str
    declared_type: str = ""
    display_name: str = ""
    processing: Processing = Processing()
    sizes: tuple[PictureSize, ...] = DEFAULT_SIZES
    limits: Limits = Limits()


class StepProgress(msgspec.Struct, frozen=True, kw_only=True):
    """The step that is running; `fraction` (0 to 1) of the whole pipeline is done; items are renditions.

    Time alone may lead as far as `until`, the end of the step; `seconds` is what the whole is expected to take, None
    while unknown.
    """

    step: str
    fraction: float
    until: float = 0.0
    seconds: float | None = None
    items_done: int = 0
    items_total: int = 0


class RenditionFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file in the job's target folder; width and height in pixels, 0 where it is no picture."""

    name: str
    file_name: str
    content_type: str
    width: int = 0
    height: int = 0


class PipelineResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in the file and made of it."""

    kind: MediaKind
    content_type: str
    media_info: MediaInfo | None = None
    renditions: tuple[RenditionFile, ...] = ()


Report: TypeAlias = Callable[[StepProgress], None]
"""Takes progress; must not raise."""
