"""The ledger towards callers who change what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.uploads import (
    Upload,
)


class CallerLedger(Protocol):
    """Cancel, retry, update, delete."""

    async def cancel(self, upload_id: UploadId, tenant: TenantId, reason: str, *, op: str | None = None) -> Upload:
        """RECEIVING, QUEUED -> CANCELLED; PROCESSING -> CANCELLING. Quietly the record when it is one of these already.

        Raises UPLOAD_NOT_FOUND, UPLOAD_TERMINAL (SUCCEEDED, FAILED), UPLOAD_EXPIRED.
        """

    async def retry(
        self,
        upload_id: UploadId,
        tenant: TenantId,
        *,
        max_attempts: int,
        series: int | None = None,
        op: str | None = None,
    ) -> Upload:
        """FAILED, CANCELLED -> QUEUED in a new series. Quietly the record when `series` is given and not its latest.

        Raises UPLOAD_NOT_FOUND, UPLOAD_EXPIRED, UPLOAD_NOT_FINISHED, UPLOAD_TERMINAL (SUCCEEDED), ORIGINAL_MISSING.
        """

    async def update(
        self,
        upload_id: UploadId,
        tenant: TenantId,
        *,
        caption: str | None = None,
        labels: Mapping[str, str] | None = None,
        op: str | None = None,
    ) -> Upload:
        """Change caption or labels; None leaves them. Raises UPLOAD_NOT_FOUND."""

    async def delete(self, upload_id: UploadId, tenant: TenantId) -> Upload:
        """Remove the record, refund its usage, plan the sweep of its prefix; returns the record as it was.

        Repeated within a day it returns the same again. Raises UPLOAD_NOT_FOUND.
        """
