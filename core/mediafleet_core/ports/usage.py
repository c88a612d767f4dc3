"""The ledger of what is stored: counters, what they were, and their reconciliation with the bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.usage import (
    Granularity,
    Operations,
    Reconciliation,
    ReconciliationStatus,
    Stored,
    Usage,
    UsageHistory,
)


class ListedUpload(NamedTuple):
    """Originals and renditions that were listed of one upload, and the tenant below whose prefix they were."""

    tenant: TenantId
    upload_id: UploadId
    stored: Stored


class Compared(NamedTuple):
    """What the ledger says of uploads that were listed.

    `moved` had a change of their usage since the run began and count on neither side; `differing` have so much more
    than is counted.
    """

    moved: frozenset[UploadId]
    differing: Mapping[UploadId, Stored]


class UsageLedger(Protocol):
    """Counters of usage. A tenant of None means all of them: the whole bucket."""

    async def usage(self, tenant: TenantId | None, collection: str = "") -> Usage:
        """Bytes and objects of a tenant, of one of its collections, or of the bucket, which tells no collections."""

    async def count_operations(self, counts: Mapping[TenantId, Operations], *, op: str) -> None:
        """Add operations to those of this hour, day and month; those of the tenant "" are nobody's but the bucket's."""

    async def operations(self, tenant: TenantId | None) -> Operations:
        """Operations in the current calendar month."""

    async def sample_usage(self) -> None:
        """Make what is stored now, by every tenant and collection, the end of the current hour, day and month."""

    async def usage_history(
        self,
        tenant: TenantId | None,
        collection: str,
        granularity: Granularity,
        start: datetime,
        end: datetime,
        *,
        limit: int,
    ) -> UsageHistory:
        """Steps that begin within a half-open span, from the first of which anything is known; the current one is last.

        A collection has no operations of its own.
        """

    async def reconciliation(self) -> ReconciliationStatus:
        """The latest reconciliation with the bucket, and the one under way."""

    async def want_reconciliation(self, *, patient: bool = False) -> datetime:
        """Have the bucket reconciled as soon as may be, unless that is under way; the ledger's time of asking.

        Who is `patient` leaves it at that after a reconciliation that failed.
        """

    async def cuts(self, count: int) -> Sequence[tuple[TenantId, UploadId]]:
        """Fewer than `count` uploads, in order of their keys, that cut all of them in ranges of about equal length."""

    async def begin_reconciliation(
        self, run: str, *, lease: timedelta, every: timedelta, again: timedelta
    ) -> Stored | None:
        """Begin to reconcile, named `run`: what is counted now; None unless a reconciliation is due.

        One is due `every` so often, `again` so long after one that failed, and when one is wanted. From now on uploads
        whose usage moves are noted. A run that shows no progress for its `lease` is over.
        """

    async def compare(
        self, run: str, uploads: Sequence[ListedUpload], *, lease: timedelta, listed: int, settled: bool = False
    ) -> Compared | None:
        """Compare uploads with their records; `listed` objects more were listed. None if the run is over.

        Those that are `settled` do not differ while more than is counted is expected there: while they are received or
        worked on, or a sweep is due.
        """

    async def moved(self) -> Mapping[UploadId, Stored]:
        """What was counted, when the run began, of each upload whose usage has moved since."""

    async def end_reconciliation(
        self, run: str, *, listed: Stored, other: Stored, drift: Stored
    ) -> Reconciliation | None:
        """Keep the result. None if the run is over."""

    async def give_up_reconciliation(self, run: str) -> None:
        """The run failed."""
