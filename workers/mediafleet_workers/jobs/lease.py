"""Holding a job: renew its lease, ship its progress, and see when to let go."""

from __future__ import annotations

import asyncio
import time
from enum import StrEnum

import structlog

from mediafleet_core.errors import MediafleetError
from mediafleet_core.ports import Ledger, Verdict
from mediafleet_core.progress import WorkProgress
from mediafleet_workers.jobs.job import Job
from mediafleet_workers.settings import JobSettings

_log = structlog.get_logger(__name__)

_SHORTEST = 0.02
"""Seconds until a job's first renewal: the claim gave a whole lease."""

_OF_AGE = 0.15
"""Time between two renewals, as a part of the job's age, while that is less than the settings say."""


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
        self._longest = min(settings.job_renew_interval, settings.job_lease / 3).total_seconds()
        self._shipped: WorkProgress | None = None

    async def renew(self, ahead: float = 0.0) -> Verdict:
        """Extend it and ship the progress that the job will have in `ahead` seconds.

        A ledger that does not answer is no reason to let go: nobody else can take the job meanwhile, and when it
        answers again it tells. The fence keeps a job that was lost unnoticed from changing anything.
        """
        progress = self._job.progress(ahead)
        try:
            verdict = await self._ledger.renew(
                self._job.upload.upload_id,
                self._job.fence,
                self._lease,
                progress if progress != self._shipped else None,
            )
        except MediafleetError as error:
            _log.warning("lease_not_renewed", reason=error.reason)
            return Verdict.HELD
        self._shipped = progress
        return verdict

    async def hold(self, drained: asyncio.Event) -> Stop:
        """Returns only when the job must be stopped.

        A young job renews more often than an old one, because its progress moves faster. What is told holds until the
        next renewal, so it is told for the middle of that time.
        """
        began = time.monotonic()
        while not drained.is_set():
            interval = min(self._longest, max(_SHORTEST, (time.monotonic() - began) * _OF_AGE))
            try:
                await asyncio.wait_for(drained.wait(), interval)
            except TimeoutError:
                verdict = await self.renew(ahead=interval / 2)
                if verdict is not Verdict.HELD:
                    return Stop.CANCELLED if verdict is Verdict.CANCELLING else Stop.LEASE_LOST
        return Stop.DRAINED
