"""Holding a job: renew its lease, ship its progress, and see when to let go."""

from __future__ import annotations

import asyncio
from enum import StrEnum

import structlog

from mediafleet_core.errors import MediafleetError
from mediafleet_core.ports import Ledger, Verdict
from mediafleet_workers.jobs.job import Job
from mediafleet_workers.settings import JobSettings

_log = structlog.get_logger(__name__)


class Stop(StrEnum):
    """Why a job is stopped in the middle; the values are reasons of `metrics.KILLS`."""

    CANCELLED = "cancelled"
    LEASE_LOST = "lease_lost"
    DRAINED = "drained"


async def hold(job: Job, ledger: Ledger, settings: JobSettings, drained: asyncio.Event) -> Stop:
    """Returns only when the job must be stopped.

    A ledger that does not answer is no reason: nobody else can take the job meanwhile, and when it answers again it
    tells. The fence keeps a job that was lost unnoticed from changing anything.
    """
    interval = min(settings.job_renew_interval, settings.job_lease / 3).total_seconds()
    shipped = None
    while not drained.is_set():
        progress = job.progress
        try:
            verdict = await ledger.renew(
                job.upload.upload_id, job.fence, settings.job_lease, progress if progress is not shipped else None
            )
        except MediafleetError as error:
            _log.warning("lease_not_renewed", reason=error.reason)
        else:
            shipped = progress
            if verdict is not Verdict.HELD:
                return Stop.CANCELLED if verdict is Verdict.CANCELLING else Stop.LEASE_LOST
        try:
            await asyncio.wait_for(drained.wait(), interval)
        except TimeoutError:
            continue
    return Stop.DRAINED
