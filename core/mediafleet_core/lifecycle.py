"""What a caller may ask of an upload that is under way or done: cancel, retry, delete."""

from __future__ import annotations

import asyncio
import contextlib

from mediafleet_core import cleanup
from mediafleet_core.detached import Detached
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.ports import JobQueue, Ledger, ObjectStore
from mediafleet_core.uploads import Upload

SWEEP_PATIENCE = 1.0
"""Seconds that a caller waits for the sweep after the ledger's step, which alone decides."""


class Lifecycle:
    """One ledger step, then the sweeps that it planned, at once; housekeeping repeats those that fail."""

    def __init__(self, ledger: Ledger, store: ObjectStore, queue: JobQueue, *, max_attempts: int) -> None:
        """`max_attempts` is what a retried upload gets."""
        self._ledger, self._store, self._queue = ledger, store, queue
        self._max_attempts = max_attempts
        self._detached = Detached()

    async def cancel(self, upload_id: UploadId, tenant: TenantId, reason: str) -> Upload:
        """The upload, CANCELLED or CANCELLING. Raises UPLOAD_NOT_FOUND, UPLOAD_TERMINAL, UPLOAD_EXPIRED."""
        upload = await self._ledger.cancel(upload_id, tenant, reason)
        await self._sweep(upload_id)
        return upload

    async def retry(self, upload_id: UploadId, tenant: TenantId, series: int | None = None) -> Upload:
        """The upload, QUEUED in a new series; as it is, where `series` is given and a later one has begun.

        Raises UPLOAD_NOT_FOUND, UPLOAD_EXPIRED, UPLOAD_NOT_FINISHED, UPLOAD_TERMINAL (SUCCEEDED), ORIGINAL_MISSING.
        """
        upload = await self._ledger.retry(upload_id, tenant, max_attempts=self._max_attempts, series=series)
        self._queue.ring(upload.kind)
        return upload

    async def delete(self, upload_id: UploadId, tenant: TenantId) -> Upload:
        """The upload as it was; its objects are gone, or going while storage is slow. Raises UPLOAD_NOT_FOUND."""
        upload = await self._ledger.delete(upload_id, tenant)
        await self._sweep(upload_id)
        return upload

    async def settled(self) -> None:
        """Wait until no sweep runs any more."""
        await self._detached.settled()

    async def _sweep(self, upload_id: UploadId) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SWEEP_PATIENCE):
                await self._detached.run(cleanup.sweep_upload(self._store, self._ledger, upload_id))
