"""What callers ask of a batch as a whole: open it, seal it, cancel it, retry what failed."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgspec

from mediafleet_core.batches import Batch, BatchSpec
from mediafleet_core.detached import Detached
from mediafleet_core.identity import BatchId, TenantId, new_batch_id
from mediafleet_core.ports import BatchLedger, JobQueue, RequestKey

SWEEP_PAGE = 100
"""Members that one step of the ledger cancels or retries: some 10 ms in which nobody else is served."""


class Retried(NamedTuple):
    """The batch, and how many of its members were queued again."""

    batch: Batch
    members: int


class Batching:
    """One step of the ledger decides; then members follow page by page, which housekeeping finishes if we do not."""

    def __init__(self, ledger: BatchLedger, queue: JobQueue, *, max_attempts: int) -> None:
        """`max_attempts` is what a retried member gets."""
        self._ledger, self._queue, self._max_attempts = ledger, queue, max_attempts
        self._detached = Detached()

    async def create(self, tenant: TenantId, spec: BatchSpec, *, request_id: str = "") -> Batch:
        """An OPEN batch. Raises REQUEST_ID_REUSED."""
        request = None
        if request_id:
            # What is announced may change until the request is repeated; it is a forecast.
            asked = msgspec.json.encode(msgspec.structs.replace(spec, expected_items=None), order="deterministic")
            request = RequestKey("CreateBatch", request_id, hashlib.sha256(asked).hexdigest())
        return await self._ledger.create_batch(new_batch_id(), tenant, spec, request=request)

    async def seal(self, batch_id: BatchId, tenant: TenantId) -> Batch:
        """The batch, which takes no more uploads. Raises BATCH_NOT_FOUND."""
        return await self._ledger.seal_batch(batch_id, tenant)

    async def cancel(self, batch_id: BatchId, tenant: TenantId, reason: str) -> Batch:
        """The batch; members at work may still be stopping. Raises BATCH_NOT_FOUND, BATCH_TERMINAL."""
        await self._ledger.cancel_batch(batch_id, tenant, reason)
        await self._detached.run(sweep_batch(self._ledger, self._queue, batch_id))
        return (await self._ledger.batch(batch_id, tenant)).batch

    async def retry(self, batch_id: BatchId, tenant: TenantId) -> Retried:
        """The batch, at work on what had failed. Raises BATCH_NOT_FOUND, BATCH_NOT_FINISHED."""
        await self._ledger.retry_batch(batch_id, tenant, max_attempts=self._max_attempts)
        members = await self._detached.run(sweep_batch(self._ledger, self._queue, batch_id))
        return Retried((await self._ledger.batch(batch_id, tenant)).batch, members)

    async def settled(self) -> None:
        """Wait until no sweep runs any more."""
        await self._detached.settled()


async def sweep_batch(ledger: BatchLedger, queue: JobQueue, batch_id: BatchId) -> int:
    """Carry a cancel or retry through to its end; the number of members that it concerned."""
    while True:
        swept = await ledger.sweep_batch(batch_id, limit=SWEEP_PAGE)
        for kind in swept.kinds:
            queue.ring(kind)
        if swept.done:
            return swept.members
