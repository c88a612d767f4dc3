"""Runs jobs: drives each claimed job through its stages, and brings every one to an end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import structlog

from mediafleet_core import manifest
from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.identity import UploadId
from mediafleet_core.ports import Claim, Ledger, ObjectStore, Outcome, Verdict
from mediafleet_core.progress.estimate import Paces
from mediafleet_workers import metrics
from mediafleet_workers.jobs.ending import Ending
from mediafleet_workers.jobs.fetch import fetch
from mediafleet_workers.jobs.job import Job, JobFolder
from mediafleet_workers.jobs.lease import Lease, Stop
from mediafleet_workers.jobs.process import process
from mediafleet_workers.jobs.store import store_renditions
from mediafleet_workers.sandbox.sandbox import Sandbox, SandboxLost
from mediafleet_workers.scratch import Scratch
from mediafleet_workers.settings import JobSettings

_log = structlog.get_logger(__name__)


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
        self._settings = settings
        self._ending = Ending(ledger, store, settings, worker)
        self._paces = Paces()
        self._drained = asyncio.Event()
        self.current: dict[UploadId, datetime] = {}
        """Uploads at work, and since when."""

    def give_back(self) -> None:
        """Stop every running job and return it to its queue; no attempt is counted."""
        self._drained.set()

    async def run(self, claim: Claim) -> None:
        """One attempt, from its claim to whatever end it finds."""
        job, kind = Job(claim, self._paces), claim.upload.kind
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
            if outcome in metrics.FINAL:
                metrics.ATTEMPTS.labels(kind).observe(job.upload.attempt)
            _log.info("job_ended", outcome=outcome, stage=job.stage_name)

    async def _to_its_end(self, job: Job) -> str:
        try:
            try:
                async with self._scratch.job_folder() as folder:
                    outcome = await self._held(job, JobFolder(folder))
            except _Stopped as stopped:
                return await self._ending.stop(job, stopped.why)
            except SandboxLost as error:
                return await self._ending.lose(job, error)
            except Exception as error:
                return await self._ending.fail(job, error)
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
            upload = await self._ending.settle(
                lambda op: self._ledger.commit(job.upload.upload_id, job.fence, outcome, op=op)
            )
        if upload is None:
            verdict = await self._ledger.renew(job.upload.upload_id, job.fence, self._settings.job_lease)
            return await self._ending.stop(job, Stop.CANCELLED if verdict is Verdict.CANCELLING else Stop.LEASE_LOST)
        try:
            await manifest.write(self._store, self._ledger, upload)
        except MediafleetError as error:
            _log.warning("manifest_postponed", reason=error.reason)
        return "succeeded"
