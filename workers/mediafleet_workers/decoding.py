"""What the sandboxed child runs: the pipeline, spoken to in JSON."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from mediafleet_workers import pipeline
from mediafleet_workers.pipeline import PipelineJob, StepProgress

ENTRY = f"{__name__}:run"

_job = msgspec.json.Decoder(PipelineJob)
_SHORTEST, _LONGEST, _OF_AGE = 0.01, 0.05, 0.1
"""Seconds between two reports, at least and at most, and as a part of the job's age: a young job moves faster. Finer
ones would only be overwritten."""


def run(job: bytes, report: Callable[[bytes], None]) -> bytes:
    """A `PipelineJob` in, `StepProgress` on the way, a `PipelineResult` out."""
    began, latest, heard = time.monotonic(), 0.0, ""

    def sparingly(step: StepProgress) -> None:
        nonlocal latest, heard
        now = time.monotonic()
        interval = min(_LONGEST, max(_SHORTEST, (now - began) * _OF_AGE))
        if now - latest >= interval or (step.step != heard and _takes_long(step, interval)):
            latest, heard = now, step.step
            report(msgspec.json.encode(step))

    return msgspec.json.encode(pipeline.run(_job.decode(job), sparingly))


def _takes_long(step: StepProgress, interval: float) -> bool:
    """Whether nothing may be heard for longer than usual: a decoder tells nothing while it is in C."""
    return (step.until - step.fraction) * (step.seconds or 0.0) >= interval
