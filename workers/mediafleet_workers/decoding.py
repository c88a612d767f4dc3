"""What the sandboxed child runs: the pipeline, spoken to in JSON."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from mediafleet_workers import pipeline
from mediafleet_workers.pipeline import PipelineJob, StepProgress

ENTRY = f"{__name__}:run"

_job = msgspec.json.Decoder(PipelineJob)
_INTERVAL = 0.05
"""Seconds between two reports; finer ones would only be overwritten."""


def run(job: bytes, report: Callable[[bytes], None]) -> bytes:
    """A `PipelineJob` in, `StepProgress` on the way, a `PipelineResult` out."""
    latest, heard = 0.0, ""

    def sparingly(step: StepProgress) -> None:
        nonlocal latest, heard
        now = time.monotonic()
        if now - latest >= _INTERVAL or (step.step != heard and _takes_long(step)):
            latest, heard = now, step.step
            report(msgspec.json.encode(step))

    return msgspec.json.encode(pipeline.run(_job.decode(job), sparingly))


def _takes_long(step: StepProgress) -> bool:
    """Whether nothing may be heard for longer than usual: a decoder tells nothing while it is in C."""
    return (step.until - step.fraction) * (step.seconds or 0.0) >= _INTERVAL
