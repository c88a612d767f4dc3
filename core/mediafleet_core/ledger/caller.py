"""Steps that callers ask for: cancel, retry, update, delete."""

from __future__ import annotations

from collections.abc import Mapping

from mediafleet_core.failures import Failure, FailureCode
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.ledger import records
from mediafleet_core.ledger.base import LedgerBase, new_op
from mediafleet_core.ledger.refusals import check
from mediafleet_core.uploads import Upload


class CallerSteps(LedgerBase):
    """What a caller may do to an upload; see `ports.Ledger` for what each step promises."""

    async def cancel(self, upload_id: UploadId, tenant: TenantId, reason: str, *, op: str | None = None) -> Upload:
        """To CANCELLED, or to CANCELLING when a worker has it."""
        failure = records.to_json(Failure(code=FailureCode.CANCELLED_BY_CALLER, detail=reason))
        reply = await self._connection.run("cancel", id=upload_id, tenant=tenant, failure=failure, op=op or new_op())
        return self._upload(check(reply, upload_id))

    async def retry(
        self,
        upload_id: UploadId,
        tenant: TenantId,
        *,
        max_attempts: int,
        series: int | None = None,
        op: str | None = None,
    ) -> Upload:
        """FAILED, CANCELLED -> QUEUED in a new series."""
        reply = await self._connection.run(
            "retry", id=upload_id, tenant=tenant, max_attempts=max_attempts, series=series, op=op or new_op()
        )
        return self._upload(check(reply, upload_id))

    async def update(
        self,
        upload_id: UploadId,
        tenant: TenantId,
        *,
        caption: str | None = None,
        labels: Mapping[str, str] | None = None,
        op: str | None = None,
    ) -> Upload:
        """Change caption or labels."""
        reply = await self._connection.run(
            "update",
            id=upload_id,
            tenant=tenant,
            caption=caption,
            labels=None if labels is None else records.to_json(dict(labels)),
            op=op or new_op(),
        )
        return self._upload(check(reply, upload_id))

    async def delete(self, upload_id: UploadId, tenant: TenantId) -> Upload:
        """Remove the record; a day long a repeat returns the same."""
        reply = check(await self._connection.run("delete", id=upload_id, tenant=tenant), upload_id)
        return records.upload(upload_id, records.pairs(reply.extra))
