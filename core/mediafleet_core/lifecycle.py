"""Ends that a caller asks for: cancel and delete."""

from __future__ import annotations

from mediafleet_core import cleanup
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.ports import Ledger, ObjectStore
from mediafleet_core.uploads import Upload


class Lifecycle:
    """One ledger step, then the sweeps that it planned, at once; housekeeping repeats those that fail."""

    def __init__(self, ledger: Ledger, store: ObjectStore) -> None:
        self._ledger = ledger
        self._store = store

    async def cancel(self, upload_id: UploadId, tenant: TenantId, reason: str) -> Upload:
        """The upload, CANCELLED or CANCELLING. Raises UPLOAD_NOT_FOUND, UPLOAD_TERMINAL, UPLOAD_EXPIRED."""
        upload = await self._ledger.cancel(upload_id, tenant, reason)
        await cleanup.sweep_upload(self._store, self._ledger, upload_id)
        return upload

    async def delete(self, upload_id: UploadId, tenant: TenantId) -> Upload:
        """The upload as it was; its objects are gone. Raises UPLOAD_NOT_FOUND."""
        upload = await self._ledger.delete(upload_id, tenant)
        await cleanup.sweep_upload(self._store, self._ledger, upload_id)
        return upload
