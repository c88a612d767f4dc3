"""Runs jobs: drives each claimed job through its stages, and brings every one to an end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog

from mediafleet_core import manifest
from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.failures import FailureCode, ProcessingError
from mediafleet_core.identity import UploadId
from mediafleet_core.ports import Claim, Ledger, ObjectStore, Outcome, Verdict
from mediafleet_core.uploads import State, Upload
from mediafleet_workers import metrics
from mediafleet_workers.jobs.failing import backoff, failed_attempt
from mediafleet_workers.jobs.fetch import fetch
from mediafleet_workers.jobs.job import Job, JobFolder
from mediafleet_workers.jobs.lease import Lease, Stop
from mediafleet_workers.jobs.process import process
from mediafleet_workers.jobs.settling import settled
from mediafleet_workers.jobs.store import store_renditions
from mediafleet_workers.sandbox.sandbox import Sandbox, SandboxLost
from mediafleet_workers.scratch import Scratch
from mediafleet_workers.settings import JobSettings

_log = structlog.get_logger(__name__)

_DISCARD_PATIENCE = 1.0
"""Seconds that a slot waits until what an attempt stored in vain is deleted, a put under way included."""


class _Stopped(Exception):
    """The job was stopped in the middle; its child is dead."""

    def __init__(self, why: Stop) -> None:
        super().__init__(why)
        self.why = why


class JobRunner:
    """Any number of jobs at once; the caller bounds them."""

    def __init__(
        self, ledger: Ledger, store: ObjectStore, sandbox: Sandbox, scratch: Scratch, settings: JobSettings, worker: str
    ) -> None:
        """`worker` is the name under which attempts are recorded."""
        self._ledger, self._store, self._sandbox, self._scratch = ledger, store, sandbox, scratch
        self._settings, self._worker = settings, worker
        self._drained = asyncio.Event()
        self.current: dict[UploadId, datetime] = {}
        """Uploads at work, and since when."""

    def give_back(self) -> None:
        """Stop every running job and return it to its queue; no attempt is counted."""
        self._drained.set()

    async def run(self, claim: Claim) -> None:
        """One attempt, from its claim to whatever end it finds."""
        job, kind = Job(claim), claim.upload.kind
        metrics.STARTED.labels(kind).inc()
        metrics.QUEUE_WAIT.labels(kind).observe(claim.waited.total_seconds())
        with (
            structlog.contextvars.bound_contextvars(
                upload_id=job.upload.upload_id, tenant=job.upload.tenant, attempt=job.upload.attempt
            ),
            metrics.IN_PROGRESS.labels(kind).track_inprogress(),
        ):
            self.current[job.upload.upload_id] = datetime.now(UTC)
            try:
                outcome = await self._to_its_end(job)
            finally:
                self.current.pop(job.upload.upload_id, None)
                if job.last_put is not None:
                    job.last_put.cancel()
            metrics.FINISHED.labels(kind, outcome).inc()
            _log.info("job_ended", outcome=outcome, stage=job.stage_name)

    async def _to_its_end(self, job: Job) -> str:
        try:
            try:
                async with self._scratch.job_folder() as folder:
                    outcome = await self._held(job, JobFolder(folder))
            except _Stopped as stopped:
                return await self._stop(job, stopped.why)
            except SandboxLost as error:
                return await self._lose(job, error)
            except Exception as error:
                return await self._fail(job, error)
            return await self._commit(job, outcome)
        except MediafleetError as error:
            if error.reason is not Reason.LEDGER_UNAVAILABLE:
                raise
            _log.error("job_end_not_recorded", reason=error.reason)  # its lease ends, and another does it again
            return "lost"

    async def _held(self, job: Job, folder: JobFolder) -> Outcome:
        """The stages while the lease is held. Raises _Stopped when it is not, and what the stages raise."""
        lease = Lease(job, self._ledger, self._settings)
        work = asyncio.create_task(self._work(job, folder, lease))
        holder = asyncio.create_task(lease.hold(self._drained))
        try:
            await asyncio.wait([work, holder], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, holder):
                task.cancel()
            await asyncio.wait([work, holder])
        if work.cancelled():
            raise _Stopped(holder.result())
        return work.result()

    async def _work(self, job: Job, folder: JobFolder, lease: Lease) -> Outcome:
        with job.stage("fetch"):
            checksums = await fetch(job, self._store, folder.original)
        with job.stage("process"):
            await lease.renew()  # so that the record tells where the file was if this process does not survive it
            result = await process(job, self._sandbox, folder, self._settings)
        with job.stage("store"):
            renditions = await store_renditions(job, self._store, folder.target, result)
        return Outcome(
            kind=result.kind,
            content_type=result.content_type,
            checksums=checksums,
            renditions=renditions,
            media_info=result.media_info,
            timings=tuple(job.timings),
        )

    async def _commit(self, job: Job, outcome: Outcome) -> str:
        with job.stage("commit"):
            upload = await self._settle(lambda op: self._ledger.commit(job.upload.upload_id, job.fence, outcome, op=op))
        if upload is None:
            verdict = await self._ledger.renew(job.upload.upload_id, job.fence, self._settings.job_lease)
            return await self._stop(job, Stop.CANCELLED if verdict is Verdict.CANCELLING else Stop.LEASE_LOST)
        try:
            await manifest.write(self._store, self._ledger, upload)
        except MediafleetError as error:
            _log.warning("manifest_postponed", reason=error.reason)
        return "succeeded"

    async def _stop(self, job: Job, why: Stop) -> str:
        if job.stage_name == "process":
            metrics.KILLS.labels(why).inc()
        if why is Stop.LEASE_LOST:
            return "lost"
        upload = await self._settle(
            lambda op: self._ledger.release(job.upload.upload_id, job.fence, job.timings, op=op)
        )
        await self._discard(job)
        if upload is None:
            return "lost"
        return "cancelled" if upload.state is State.CANCELLED else "released"

    async def _lose(self, job: Job, error: SandboxLost) -> str:
        _log.warning("sandbox_lost", evidence=str(error))
        pause = backoff(job.upload.attempt, self._settings)
        upload = await self._settle(
            lambda op: self._ledger.lose(job.upload.upload_id, job.fence, job.timings, pause, op=op)
        )
        match upload:
            case Upload(state=State.CANCELLED):
                return "cancelled"
            case Upload(state=State.FAILED):
                return "failed"
        return "lost"

    async def _fail(self, job: Job, error: Exception) -> str:
        failed = failed_attempt(job, error, self._worker, self._settings)
        unexpected = None if isinstance(error, ProcessingError | MediafleetError) else error
        _log.warning(
            "attempt_failed", code=failed.code, stage=failed.stage, evidence=failed.record.evidence, exc_info=unexpected
        )
        upload = await self._settle(
            lambda op: self._ledger.fail_attempt(job.upload.upload_id, job.fence, failed, op=op)
        )
        await self._discard(job)
        match upload:
            case None:
                return "lost"
            case Upload(state=State.CANCELLED):
                return "cancelled"
            case Upload(state=State.QUEUED):
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

    async def _settle(self, step: Callable[[str], Awaitable[Upload | None]]) -> Upload | None:
        return await settled(step, self._settings.job_patience)
