"""Write the renditions, each made from the next larger one, turned upright last."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from mediafleet_workers.pipeline.image.orientation import upright
from mediafleet_workers.pipeline.image.shrinking import resized
from mediafleet_workers.pipeline.image.work import Target, Work
from mediafleet_workers.pipeline.job import RenditionFile

QUALITY = 85


def render(work: Work) -> None:
    """Fill `renditions`, in the order in which they are made."""
    image = work.picture
    pixels = sum(target.width * target.height for target in work.targets)
    made = 0
    for done, target in enumerate(work.targets, start=1):
        image = resized(image, target.stored)
        work.renditions.append(_write(upright(image, work.orientation), target, Path(work.job.target)))
        made += target.width * target.height
        work.item_done(done, len(work.targets), made / pixels)


def _write(image: Image.Image, target: Target, folder: Path) -> RenditionFile:
    """A JPEG, or a WebP where something is transparent. `info` is empty, so no metadata can travel along."""
    if image.mode in ("LA", "RGBA"):
        file_name, content_type = f"{target.name}.webp", "image/webp"
        image.save(folder / file_name, "WEBP", quality=QUALITY)
    else:
        file_name, content_type = f"{target.name}.jpg", "image/jpeg"
        image.save(folder / file_name, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    return RenditionFile(
        name=target.name, file_name=file_name, content_type=content_type, width=target.width, height=target.height
    )
