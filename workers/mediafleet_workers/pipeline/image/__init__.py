"""Pictures: the steps from a stored file to its renditions, in the order in which they run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

from PIL import Image

from mediafleet_core.failures import FailureCode, ProcessingError
from mediafleet_core.media_types import MediaKind
from mediafleet_workers.pipeline import plain
from mediafleet_workers.pipeline.image.channels import widen
from mediafleet_workers.pipeline.image.colour import to_srgb
from mediafleet_workers.pipeline.image.decoding import decode
from mediafleet_workers.pipeline.image.integrity import check_whole
from mediafleet_workers.pipeline.image.metadata import read_metadata
from mediafleet_workers.pipeline.image.opening import open_within_limits
from mediafleet_workers.pipeline.image.planning import plan
from mediafleet_workers.pipeline.image.rendering import render
from mediafleet_workers.pipeline.image.shrinking import shrink
from mediafleet_workers.pipeline.image.transparency import drop_unused_alpha
from mediafleet_workers.pipeline.image.work import Work
from mediafleet_workers.pipeline.job import PipelineJob, PipelineResult, Report
from mediafleet_workers.pipeline.sniff import SUPPORTED_IMAGES, check_claims, found_type, is_camera_raw


class Step(NamedTuple):
    """One step: its name in progress, and what it does to the work. How long it takes is in the table of progress."""

    name: str
    run: Callable[[Work], None]


STEPS = (
    Step("check", check_whole),
    Step("open", open_within_limits),
    Step("metadata", read_metadata),
    Step("plan", plan),
    Step("decode", decode),
    Step("channels", widen),
    Step("shrink", shrink),
    Step("colour", to_srgb),
    Step("transparency", drop_unused_alpha),
    Step("render", render),
)


def accepts(head: bytes) -> bool:
    """Whether a file that begins so is a picture that gets renditions."""
    return found_type(head) in SUPPORTED_IMAGES


def process(job: PipelineJob, head: bytes, report: Report) -> PipelineResult:
    """Metadata and every rendition. Raises `ProcessingError`: CONTENT_TYPE_MISMATCH, CORRUPT_MEDIA, TRUNCATED_MEDIA,
    PIXEL_LIMIT, FRAME_LIMIT."""
    found = found_type(head)
    check_claims(job, found)
    if is_camera_raw(job, found):
        return plain.process(job, head, report)
    Image.MAX_IMAGE_PIXELS = job.limits.pixels  # Pillow's guard holds for what its decoders find later, too
    work = Work(job=job, content_type=found, report=report)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oddities of a file are its own
        try:
            for step in STEPS:
                work.begin(step.name)
                step.run(work)
        except Image.DecompressionBombError:
            raise ProcessingError(FailureCode.PIXEL_LIMIT) from None
        finally:
            work.close()
    return PipelineResult(
        kind=MediaKind.IMAGE, content_type=found, media_info=work.info, renditions=tuple(work.renditions)
    )
