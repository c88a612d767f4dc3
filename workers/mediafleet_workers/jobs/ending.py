"""How attempts end that do not succeed: the ledger is told, then what they stored is discarded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from mediafleet_core.errors import MediafleetError
from mediafleet_core.failures import Failure, FailureCode, ProcessingError
from mediafleet_core.ports import Ledger, ObjectStore
from mediafleet_core.uploads import State, Upload
from mediafleet_workers import metrics
from mediafleet_workers.jobs.failing import backoff, failed_attempt
from mediafleet_workers.jobs.job import Job
from mediafleet_workers.jobs.lease import Stop
from mediafleet_workers.jobs.settling import settled
from mediafleet_workers.sandbox.sandbox import SandboxLost
from mediafleet_workers.settings import JobSettings

_log = structlog.get_logger(__name__)

_DISCARD_PATIENCE = 1.0
"""Seconds that a slot waits until what an attempt stored in vain is deleted, a put under way included."""


class Ending:
    """Tells what became of each job, as `metrics.FINISHED` counts it."""

    def __init__(self, ledger: Ledger, store: ObjectStore, settings: JobSettings, worker: str) -> None:
        """`worker` is the name under which attempts are recorded."""
        self._ledger, self._store, self._settings, self._worker = ledger, store, settings, worker

    async def stop(self, job: Job, why: Stop) -> str:
        """It was stopped in the middle, and its child is dead."""
        if job.stage_name == "process":
            metrics.KILLS.labels(why).inc()
        if why is Stop.LEASE_LOST:
            return "lost"
        upload = await self.settle(lambda op: self._ledger.release(job.upload.upload_id, job.fence, job.timings, op=op))
        await self._discard(job)
        if upload is None:
            return "lost"
        return "cancelled" if upload.state is State.CANCELLED else "released"

    async def lose(self, job: Job, error: SandboxLost) -> str:
        """It was lost with the sandbox."""
        _log.warning("sandbox_lost", evidence=str(error))
        pause = backoff(job.upload.attempt, self._settings)
        upload = await self.settle(
            lambda op: self._ledger.lose(job.upload.upload_id, job.fence, job.timings, pause, op=op)
        )
        match upload:
            case Upload(state=State.CANCELLED):
                return "cancelled"
            case Upload(state=State.FAILED, failure=Failure(code=code)):
                metrics.FAILURES.labels(job.upload.kind, code).inc()
                return "failed"
        return "lost"

    async def fail(self, job: Job, error: Exception) -> str:
        """It failed."""
        failed = failed_attempt(job, error, self._worker, self._settings)
        unexpected = None if isinstance(error, ProcessingError | MediafleetError) else error
        _log.warning(
            "attempt_failed", code=failed.code, stage=failed.stage, evidence=failed.record.evidence, exc_info=unexpected
        )
        upload = await self.settle(lambda op: self._ledger.fail_attempt(job.upload.upload_id, job.fence, failed, op=op))
        await self._discard(job)
        if upload is None:
            return "lost"
        if upload.state is State.CANCELLED:
            return "cancelled"
        metrics.FAILURES.labels(job.upload.kind, failed.code).inc()
        if upload.state is State.QUEUED:
            return "retried"
        return "timed_out" if failed.code is FailureCode.TIMED_OUT else "failed"

    async def _discard(self, job: Job) -> None:
        """Delete what this attempt stored, if the storage is quick; the ledger has planned a sweep of its prefix."""
        try:
            async with asyncio.timeout(_DISCARD_PATIENCE):
                if job.last_put is not None:
                    await asyncio.wait([job.last_put])
                if job.stored:
                    await self._store.delete(job.stored)
        except (MediafleetError, TimeoutError) as error:
            _log.warning("discard_postponed", error=repr(error))

    async def settle(self, step: Callable[[str], Awaitable[Upload | None]]) -> Upload | None:
        """The answer to a last step, within the job's patience."""
        return await settled(step, self._settings.job_patience)
