"""Which renditions in which size: known before decoding, so that no more is decoded than they need."""

from __future__ import annotations

from mediafleet_core.errors import MediafleetError
from mediafleet_core.failures import FailureCode, ProcessingError
from mediafleet_core.processing import picture_sizes
from mediafleet_workers.pipeline.image.orientation import swaps_sides
from mediafleet_workers.pipeline.image.work import Target, Work


def plan(work: Work) -> None:
    """Set `targets`, the largest first."""
    assert work.info is not None
    try:
        sizes = picture_sizes(work.job.processing, work.job.sizes)
    except MediafleetError as error:  # creation refuses these; a record may be older than this release
        raise ProcessingError(FailureCode.INTERNAL, error.message) from error
    swapped = swaps_sides(work.orientation)
    for size in sizes:
        width, height = fit(work.info.width, work.info.height, size.width, size.height)
        stored = (height, width) if swapped else (width, height)
        work.targets.append(Target(size.name, width, height, stored))
    work.targets.sort(key=lambda target: target.width * target.height, reverse=True)
    work.planned()


def fit(width: int, height: int, box_width: int, box_height: int) -> tuple[int, int]:
    """The largest size of the same aspect inside the box, in whole pixels, never larger than it was."""
    scale = min(1.0, box_width / width, box_height / height)
    return max(1, round(width * scale)), max(1, round(height * scale))
