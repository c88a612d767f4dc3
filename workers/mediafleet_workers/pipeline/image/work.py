"""A picture on its way through the steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from PIL import Image, ImageFile

from mediafleet_core.progress.expected import step_seconds
from mediafleet_core.uploads import ImageInfo
from mediafleet_workers.pipeline.image.reading import ReportingFile
from mediafleet_workers.pipeline.job import PipelineJob, RenditionFile, Report, StepProgress

FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/gif": "GIF", "image/tiff": "TIFF"}
"""Pillow's name of each format that a file may be."""

_READ_IN_BLOCKS = frozenset({"JPEG", "PNG", "GIF"})
"""Formats whose pixels Pillow decodes while it reads; the others are read at once, or by a library."""

_USUAL_PIXELS = 834_375
"""Of the default renditions of a picture of 4 to 3, which the table's seconds of rendering stand for."""


@dataclass(frozen=True)
class Target:
    """One rendition to be: its pixels as shown, and as stored before orientation is applied."""

    name: str
    width: int
    height: int
    stored: tuple[int, int]


@dataclass
class Work:
    """What the steps hand on: the picture so far (None before it is opened), what is known of it, what was made."""

    job: PipelineJob
    content_type: str
    report: Report
    frames: int = 1
    image: Image.Image | None = None
    info: ImageInfo | None = None
    orientation: int = 1
    """What is still to be applied to the pixels, as EXIF counts it."""
    targets: list[Target] = field(default_factory=list)
    """Largest first."""
    extent: tuple[float, float] | None = None
    """What part of `image` the picture covers, in its pixels, where a decoder rounded up."""
    renditions: list[RenditionFile] = field(default_factory=list)
    _step: str = ""
    _done: float = 0.0
    """Expected seconds of the steps before."""
    _expected: dict[str, float] = field(default_factory=dict)
    """Seconds by step; nothing before the picture is open, for they depend on its pixels."""

    @property
    def format(self) -> str:
        """Pillow's name of the format."""
        return FORMATS[self.content_type]

    @property
    def picture(self) -> Image.Image:
        """The picture, once it is open."""
        assert self.image is not None
        return self.image

    def opened(self) -> None:
        """The picture is open: its size says what steps will take, and what is read of it how far they are."""
        image = self.picture
        assert isinstance(image, ImageFile.ImageFile)
        assert image.fp is not None
        self._expected = step_seconds(self.content_type, image.width * image.height)
        if self.format in _READ_IN_BLOCKS:
            size = Path(self.job.source).stat().st_size
            image.fp = cast("IO[bytes]", ReportingFile(image.fp, size, self.part_done))

    def planned(self) -> None:
        """The targets are known, and with them what rendering takes."""
        if self._expected:
            self._expected["render"] *= sum(target.width * target.height for target in self.targets) / _USUAL_PIXELS

    def begin(self, step: str) -> None:
        """The step before is done, this one starts."""
        names = list(self._expected)
        self._done = sum(self._expected[name] for name in names[: names.index(step)]) if names else 0.0
        self._step = step
        self.part_done(0.0)

    def part_done(self, part: float) -> None:
        """So much of the step (0 to 1) is done."""
        self._tell(part)

    def item_done(self, done: int, total: int, part: float) -> None:
        """`done` of `total` renditions stand, which is so much of the step."""
        self._tell(part, done, total)

    def _tell(self, part: float, items_done: int = 0, items_total: int = 0) -> None:
        whole, step = sum(self._expected.values()), self._expected.get(self._step, 0.0)
        self.report(
            StepProgress(
                step=self._step,
                fraction=min(1.0, (self._done + step * part) / whole) if whole else 0.0,
                until=min(1.0, (self._done + step) / whole) if whole else 0.0,
                seconds=whole or None,
                items_done=items_done,
                items_total=items_total,
            )
        )

    def close(self) -> None:
        """Release the file."""
        if self.image is not None:
            self.image.close()
