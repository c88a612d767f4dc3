"""Answers bells: what is due is done, one upload after the other."""

from __future__ import annotations

import structlog

from mediafleet_core.errors import MediafleetError
from mediafleet_core.ports import Claim, JobQueue, WorkLedger
from mediafleet_workers import metrics
from mediafleet_workers.jobs.runner import JobRunner
from mediafleet_workers.jobs.settling import settled
from mediafleet_workers.settings import JobSettings, WorkerSettings

_log = structlog.get_logger(__name__)


class Slots:
    """The slots of a worker; each call of `answer` is one of them at work, and the caller bounds those."""

    def __init__(
        self, ledger: WorkLedger, queue: JobQueue, runner: JobRunner, worker: WorkerSettings, job: JobSettings
    ) -> None:
        """Ready to work."""
        self._ledger, self._queue, self._runner = ledger, queue, runner
        self._name, self._lease, self._patience = worker.worker_name, job.job_lease, job.job_patience
        self._kinds = list(worker.worker_kinds)
        self._open = True

    def close(self) -> None:
        """Claim nothing more."""
        self._open = False

    async def answer(self) -> None:
        """Bring one due upload after the other to the end of its attempt. Raises nothing expected.

        Ends when nothing is due for this worker, or when it is closed.
        """
        idle = True
        while self._open:
            try:
                claim = await settled(self._claim, self._patience, wanted=lambda: self._open)
            except MediafleetError as error:
                _log.warning("claim_failed", reason=error.reason)
                return
            if claim is None:
                if idle:
                    metrics.DUPLICATES.inc()
                return
            idle = False
            kind = claim.upload.kind
            # Whichever kind a bell was for, the kind served last comes last: none starves while another has much due.
            self._kinds.remove(kind)
            self._kinds.append(kind)
            if claim.more:
                self._queue.ring(kind)  # for one slot more, which will do the same
            await self._runner.run(claim)

    async def _claim(self, op: str) -> Claim | None:
        """Under one name until it is answered: what was claimed unheard would be held by nobody."""
        return await self._ledger.claim(self._kinds, self._name, self._lease, op=op)
