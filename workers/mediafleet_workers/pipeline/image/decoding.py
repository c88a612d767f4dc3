"""Decode the first frame, a JPEG no finer than its renditions need."""

from __future__ import annotations

from mediafleet_workers.pipeline.image.damage import complaints
from mediafleet_workers.pipeline.image.work import Work

REDUCING_GAP = 2.0
"""Pixels that resampling starts from, per pixel that it makes, along each side; less is visibly worse."""


def decode(work: Work) -> None:
    """Load the pixels, and set `extent`. Raises CORRUPT_MEDIA, TRUNCATED_MEDIA.

    Without renditions the whole picture is decoded all the same: a file counts as a picture when it decodes.
    """
    image = work.picture
    with complaints(work.job.source, work.format):
        if work.targets:
            width, height = work.targets[0].stored
            drafted = image.draft(None, (round(width * REDUCING_GAP), round(height * REDUCING_GAP)))
            if drafted is not None:
                _, (_, _, *extent) = drafted
                work.extent = (extent[0], extent[1])
        image.load()
