"""The ledger of what is over: how long it is kept, and how it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from mediafleet_core.batches import Batch
from mediafleet_core.identity import TenantId
from mediafleet_core.uploads import Upload


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How many days a tenant's history is kept, and whether objects go with their records."""

    days: int
    objects: bool = False


class HistoryLedger(Protocol):
    """Records leave the ledger only as they were read: one that changed since stays."""

    async def set_retention(self, retention: Mapping[TenantId, Retention]) -> None:
        """From here on these tenants' history is kept so long, and everybody else's for ever."""

    async def retention(self) -> Mapping[TenantId, Retention]:
        """Tenants whose history is not kept for ever."""

    async def old_uploads(self, tenant: TenantId, before: datetime, *, limit: int) -> Sequence[Upload]:
        """Uploads that ended before this time, oldest first, and may be pruned.

        Members of a batch wait for it; a committed upload waits for its manifest.
        """

    async def prune_upload(self, upload: Upload, *, objects: bool) -> bool:
        """Remove the record, if it is still as it was; whether it was.

        Objects stay and count as used, unless `objects` says otherwise or the original was kept for a retry only.
        """

    async def old_batches(self, tenant: TenantId, before: datetime, *, limit: int) -> Sequence[Batch]:
        """Batches that ended before this time and whose members have all gone, oldest first."""

    async def prune_batch(self, batch: Batch) -> bool:
        """Remove the record, if it is still as it was; whether it was."""
