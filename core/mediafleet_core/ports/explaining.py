"""The ledger for whoever asks why an upload is where it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from mediafleet_core.events import LogEntry
from mediafleet_core.failures import AttemptRecord
from mediafleet_core.fleet import Pause
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.uploads import Upload


class Standing(NamedTuple):
    """A record, its state changes and failed attempts (oldest first), and its places in queues, all of one moment.

    `worker` holds it until `lease_end`, which is None unless it is at work; `lost` counts how often its work was lost
    with a worker or sandbox. `due_since` is None unless it waits for a worker; then `ahead` are those of its tenant and
    priority before it, and `waiting` are due in its queue in all, which `workers` serve. Its tenant has
    `tenant_running` at work and may have `tenant_most`, 0 for any number.
    """

    upload: Upload
    changes: Sequence[LogEntry]
    attempts: Sequence[AttemptRecord]
    worker: str
    lost: int
    reserved_bytes: int
    lease_end: datetime | None
    due_since: datetime | None
    ahead: int
    waiting: int
    pause: Pause | None
    tenant_running: int
    tenant_most: int
    workers: int
    as_of: datetime


class ExplainingLedger(Protocol):
    """Reads that nothing but an explanation needs."""

    async def standing(self, upload_id: UploadId, tenant: TenantId | None = None) -> Standing:
        """Where an upload stands. Raises UPLOAD_NOT_FOUND, also for another tenant's."""
