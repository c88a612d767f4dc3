"""Reading where one upload stands."""

from __future__ import annotations

import msgspec

from mediafleet_core.failures import AttemptRecord
from mediafleet_core.fleet import Pause
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.ledger import records
from mediafleet_core.ledger.base import LedgerBase
from mediafleet_core.ledger.refusals import check
from mediafleet_core.ports import Standing


class _Paused(msgspec.Struct):
    reason: str
    time: int


class _Places(msgspec.Struct):
    now: int
    attempts: str
    worker: str
    lost: int
    reserved: int
    ahead: int
    waiting: int
    tenant_running: int
    tenant_most: int
    workers: int
    lease_end: int | None = None
    due_since: int | None = None
    pause: _Paused | None = None


class ExplainingSteps(LedgerBase):
    """See `ports.ExplainingLedger`."""

    async def standing(self, upload_id: UploadId, tenant: TenantId | None = None) -> Standing:
        """The record with all around it."""
        reply = check(await self._connection.run("explain", id=upload_id, tenant=tenant), upload_id)
        places = msgspec.json.decode(reply.detail, type=_Places)
        told = (msgspec.json.decode(row.partition(" ")[2], type=list[str]) for row in reply.extra)
        return Standing(
            upload=self._upload(reply),
            changes=[records.log_entry(records.pairs(flat)) for flat in told],
            attempts=msgspec.json.decode(f"[{places.attempts}]", type=list[AttemptRecord]),
            worker=places.worker,
            lost=places.lost,
            reserved_bytes=places.reserved,
            lease_end=records.at(places.lease_end) if places.lease_end is not None else None,
            due_since=records.at(places.due_since) if places.due_since is not None else None,
            ahead=places.ahead,
            waiting=places.waiting,
            pause=Pause(records.at(places.pause.time), places.pause.reason) if places.pause else None,
            tenant_running=places.tenant_running,
            tenant_most=places.tenant_most,
            workers=places.workers,
            as_of=records.at(places.now),
        )
