"""Holding a job: renew its lease, ship its progress, and see when to let go."""

from __future__ import annotations

import asyncio
from enum import StrEnum

import structlog

from mediafleet_core.errors import MediafleetError
from mediafleet_core.ports import Ledger, Verdict
from mediafleet_core.progress import WorkProgress
from mediafleet_workers.jobs.job import Job
from mediafleet_workers.settings import JobSettings

_log = structlog.get_logger(__name__)


class Stop(StrEnum):
    """Why a job is stopped in the middle; the values are reasons of `metrics.KILLS`."""

    CANCELLED = "cancelled"
    LEASE_LOST = "lease_lost"
    DRAINED = "drained"


class Lease:
    """The hold on one job."""

    def __init__(self, job: Job, ledger: Ledger, settings: JobSettings) -> None:
        """Held since the claim."""
        self._job, self._ledger, self._lease = job, ledger, settings.job_lease
        self._interval = min(settings.job_renew_interval, settings.job_lease / 3).total_seconds()
        self._shipped: WorkProgress | None = None

    async def renew(self) -> Verdict:
        """Extend it and ship the latest progress.

        A ledger that does not answer is no reason to let go: nobody else can take the job meanwhile, and when it
        answers again it tells. The fence keeps a job that was lost unnoticed from changing anything.
        """
        progress = self._job.progress
        try:
            verdict = await self._ledger.renew(
                self._job.upload.upload_id,
                self._job.fence,
                self._lease,
                progress if progress is not self._shipped else None,
            )
        except MediafleetError as error:
            _log.warning("lease_not_renewed", reason=error.reason)
            return Verdict.HELD
        self._shipped = progress
        return verdict

    async def hold(self, drained: asyncio.Event) -> Stop:
        """Returns only when the job must be stopped. The claim gave a whole lease, so the first renewal can wait."""
        while not drained.is_set():
            try:
                await asyncio.wait_for(drained.wait(), self._interval)
            except TimeoutError:
                verdict = await self.renew()
                if verdict is not Verdict.HELD:
                    return Stop.CANCELLED if verdict is Verdict.CANCELLING else Stop.LEASE_LOST
        return Stop.DRAINED
