"""The second stage: the pipeline for the file, in the sandbox."""

from __future__ import annotations

import msgspec

from mediafleet_core.media_types import declared_type
from mediafleet_core.progress import Units
from mediafleet_workers import metrics
from mediafleet_workers.jobs.job import Job, JobFolder
from mediafleet_workers.pipeline.job import Limits, PipelineJob, PipelineResult, StepProgress
from mediafleet_workers.sandbox.messages import Ended
from mediafleet_workers.sandbox.sandbox import Killed, Sandbox, SandboxLost
from mediafleet_workers.settings import JobSettings

_progress = msgspec.json.Decoder(StepProgress)
_result = msgspec.json.Decoder(PipelineResult)

_KILLED = {"TIMED_OUT": "timed_out", "OUT_OF_MEMORY": "out_of_memory", "WORKER_CRASHED": "crashed"}


async def process(job: Job, sandbox: Sandbox, folder: JobFolder, settings: JobSettings) -> PipelineResult:
    """What the pipeline found and made in `folder.target`. Raises ProcessingError, SandboxLost."""
    spec = job.upload.spec
    asked = PipelineJob(
        source=str(folder.original),
        target=str(folder.target),
        declared_type=declared_type(spec.content_type, spec.display_name),
        display_name=spec.display_name,
        processing=spec.processing,
        limits=Limits(pixels=settings.job_pixels, frames=settings.job_frames),
    )

    def heard(content: bytes) -> None:
        step = _progress.decode(content)
        units = Units(step=step.step, items_done=step.items_done, items_total=step.items_total)
        job.advance(step.fraction, units, until=step.until, seconds=step.seconds)

    def ended(used: Ended) -> None:
        job.use(used.cpu, used.peak_memory)

    try:
        return _result.decode(await sandbox.run(folder.root, msgspec.json.encode(asked), heard, ended))
    except Killed as error:
        metrics.KILLS.labels(_KILLED[error.code]).inc()
        raise
    except SandboxLost:
        metrics.KILLS.labels("crashed").inc()
        raise
