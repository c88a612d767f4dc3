"""Generated pictures, and one way through the pipeline, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageDraw, ImageStat

from mediafleet_core.failures import FailureCode, ProcessingError
from mediafleet_workers.pipeline import Limits, PipelineJob, PipelineResult, StepProgress, run

SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "TIFF": "tiff"}


def scene(width: int = 1200, height: int = 900) -> Image.Image:
    """A picture without symmetry: gradients with shapes in one corner."""
    red = Image.linear_gradient("L").resize((width, height))
    green = Image.linear_gradient("L").rotate(90).resize((width, height))
    picture = Image.merge("RGB", (red, green, Image.radial_gradient("L").resize((width, height))))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((width * 0.05, height * 0.05, width * 0.35, height * 0.25), fill=(250, 240, 20))
    draw.ellipse((width * 0.1, height * 0.5, width * 0.3, height * 0.8), fill=(20, 60, 250))
    return picture


def processed(path: Path, declared_type: str = "", name: str = "", **job: Any) -> PipelineResult:
    """What the pipeline finds in a file; renditions go to `renditions` beside it."""
    return run(job_for(path, declared_type, name, **job), lambda _: None)


def job_for(path: Path, declared_type: str = "", name: str = "", **job: Any) -> PipelineJob:
    """A job over a file."""
    target = path.parent / "renditions"
    target.mkdir(exist_ok=True)
    return PipelineJob(
        source=str(path), target=str(target), declared_type=declared_type, display_name=name or path.name, **job
    )


def refusal(path: Path, declared_type: str = "", name: str = "", limits: Limits | None = None) -> FailureCode:
    """The code with which the pipeline refuses a file; nothing is left in the target folder."""
    reports: list[StepProgress] = []
    job = job_for(path, declared_type, name, limits=limits or Limits())
    try:
        run(job, reports.append)
    except ProcessingError as error:
        assert not list(Path(job.target).iterdir())
        return error.code
    raise AssertionError("the file was accepted")


def rendition(path: Path, result: PipelineResult, name: str) -> Image.Image:
    """One rendition, decoded."""
    (file_name,) = [made.file_name for made in result.renditions if made.name == name]
    with Image.open(path.parent / "renditions" / file_name) as image:
        image.load()
        return image


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference per channel, 0 to 255, of two pictures of one size."""
    assert one.size == other.size
    mean = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean
    return sum(mean) / len(mean)
