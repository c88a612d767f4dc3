"""The ledger of batches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from mediafleet_core.batches import Batch, BatchSpec, BatchState, BatchView, Member
from mediafleet_core.identity import BatchId, TenantId
from mediafleet_core.media_types import MediaKind
from mediafleet_core.ports.intake import RequestKey


class BatchFilter(NamedTuple):
    """Which batches; empty fields do not restrict. Times are half open: created at or after, and before."""

    states: frozenset[BatchState] = frozenset()
    collection: str = ""
    labels: Mapping[str, str] = {}
    created_from: datetime | None = None
    created_before: datetime | None = None
    text: str = ""

    def covers(self, batch: Batch) -> bool:
        """Whether the batch is among those asked for."""
        return (
            (not self.states or batch.state in self.states)
            and (not self.collection or batch.spec.collection == self.collection)
            and all(batch.spec.labels.get(name) == value for name, value in self.labels.items())
            and (self.created_from is None or batch.create_time >= self.created_from)
            and (self.created_before is None or batch.create_time < self.created_before)
            and (not self.text or self.text.casefold() in batch.spec.display_name.casefold())
        )


class BatchPage(NamedTuple):
    """One page of a listing: `next_after` continues it, "" at the end; `total` is at least what the filter covers."""

    batches: tuple[Batch, ...]
    next_after: str
    total: int


class Swept(NamedTuple):
    """A page of a cancel or retry: members dealt with so far, whether those were all, kinds that have new work."""

    members: int
    done: bool
    kinds: frozenset[MediaKind]


class BatchLedger(Protocol):
    """Batches. Their counters move in the same step as the member that moves them."""

    async def create_batch(
        self, batch_id: BatchId, tenant: TenantId, spec: BatchSpec, *, request: RequestKey | None = None
    ) -> Batch:
        """An OPEN batch, or the one that `request` made before. Raises REQUEST_ID_REUSED."""

    async def seal_batch(self, batch_id: BatchId, tenant: TenantId) -> Batch:
        """OPEN -> SEALED, and on to a terminal state if every member is. Raises BATCH_NOT_FOUND."""

    async def cancel_batch(self, batch_id: BatchId, tenant: TenantId, reason: str) -> Batch:
        """From here on no member starts; `sweep_batch` ends the others. Raises BATCH_NOT_FOUND, BATCH_TERMINAL."""

    async def retry_batch(self, batch_id: BatchId, tenant: TenantId, *, max_attempts: int) -> Batch:
        """`sweep_batch` queues failed members whose original is kept; with the first a terminal batch is SEALED again.

        Raises BATCH_NOT_FOUND, BATCH_NOT_FINISHED (it is being cancelled).
        """

    async def sweep_batch(self, batch_id: BatchId, *, limit: int) -> Swept:
        """Cancel or retry the next `limit` members, as was asked; done at once if nothing was."""

    async def batch(self, batch_id: BatchId, tenant: TenantId) -> BatchView:
        """The batch as it is now. Raises BATCH_NOT_FOUND, also for another tenant's."""

    async def list_batches(
        self, tenant: TenantId, which: BatchFilter, *, limit: int, after: str = "", oldest_first: bool = False
    ) -> BatchPage:
        """A page in order of creation, newest first unless asked otherwise."""

    def members(self, batch_id: BatchId, tenant: TenantId) -> AsyncIterator[Member]:
        """Every member in order of creation, deleted ones too. Raises BATCH_NOT_FOUND."""

    async def idle_batches(self, idle: timedelta, patience: timedelta, limit: int) -> Sequence[BatchId]:
        """Seal OPEN batches that nothing joined for `idle`; find those whose sweep nobody continued for `patience`."""
