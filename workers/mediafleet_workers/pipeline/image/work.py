"""A picture on its way through the steps."""

from __future__ import annotations

from dataclasses import dataclass, field

from PIL import Image

from mediafleet_core.uploads import ImageInfo
from mediafleet_workers.pipeline.job import PipelineJob, RenditionFile, Report, StepProgress

FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/gif": "GIF", "image/tiff": "TIFF"}
"""Pillow's name of each format that a file may be."""


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
    _before: float = 0.0
    _share: float = 0.0

    @property
    def format(self) -> str:
        """Pillow's name of the format."""
        return FORMATS[self.content_type]

    @property
    def picture(self) -> Image.Image:
        """The picture, once it is open."""
        assert self.image is not None
        return self.image

    def begin(self, step: str, share: float) -> None:
        """The step before is done, this one starts."""
        self._before, self._share, self._step = self._before + self._share, share, step
        self.report(StepProgress(step=step, fraction=self._before))

    def item_done(self, done: int, total: int) -> None:
        """`done` of `total` renditions stand."""
        fraction = self._before + self._share * done / total
        self.report(StepProgress(step=self._step, fraction=min(1.0, fraction), items_done=done, items_total=total))

    def close(self) -> None:
        """Release the file."""
        if self.image is not None:
            self.image.close()
