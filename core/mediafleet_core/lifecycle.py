"""Ends that a caller asks for: cancel and delete."""

from __future__ import annotations

import structlog

from mediafleet_core import cleanup
from mediafleet_core.errors import MediafleetError
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.ports import Ledger, ObjectStore
from mediafleet_core.uploads import Upload

_log = structlog.get_logger(__name__)

_SWEEPS_AT_ONCE = 100


class Lifecycle:
    """One ledger step, then the sweeps that it planned, at once; housekeeping repeats those that fail."""

    def __init__(self, ledger: Ledger, store: ObjectStore) -> None:
        self._ledger = ledger
        self._store = store

    async def cancel(self, upload_id: UploadId, tenant: TenantId, reason: str) -> Upload:
        """The upload, CANCELLED or CANCELLING. Raises UPLOAD_NOT_FOUND, UPLOAD_TERMINAL, UPLOAD_EXPIRED."""
        upload = await self._ledger.cancel(upload_id, tenant, reason)
        await self._sweep(upload_id)
        return upload

    async def delete(self, upload_id: UploadId, tenant: TenantId) -> Upload:
        """The upload as it was; its objects are gone. Raises UPLOAD_NOT_FOUND."""
        upload = await self._ledger.delete(upload_id, tenant)
        await self._sweep(upload_id)
        return upload

    async def _sweep(self, upload_id: UploadId) -> None:
        try:
            for planned in await self._ledger.sweeps(_SWEEPS_AT_ONCE, upload_id=upload_id):
                await cleanup.sweep(self._store, self._ledger, planned)
        except MediafleetError as error:
            _log.warning("sweep_postponed", upload_id=upload_id, reason=error.reason)
