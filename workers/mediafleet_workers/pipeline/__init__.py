"""File in, files out: what a worker's sandboxed child runs. Importing this imports every decoder that it may need."""

from __future__ import annotations

from pathlib import Path

from mediafleet_workers.pipeline import image, plain
from mediafleet_workers.pipeline.job import (
    Limits,
    PipelineJob,
    PipelineResult,
    RenditionFile,
    Report,
    StepProgress,
)
from mediafleet_workers.pipeline.registry import HEAD_SIZE, find, register

__all__ = ["Limits", "PipelineJob", "PipelineResult", "RenditionFile", "Report", "StepProgress", "register", "run"]

register(lambda head: True, plain.process)
register(image.accepts, image.process)


def run(job: PipelineJob, report: Report) -> PipelineResult:
    """Process one file. Synchronous; meant for a process of its own, since it sets limits of the decoders' library.

    Raises `ProcessingError` with the code of what is wrong with the file; either every rendition that was asked for
    exists afterwards or it raises.
    """
    with Path(job.source).open("rb") as file:
        head = file.read(HEAD_SIZE)
    return find(head)(job, head, report)
