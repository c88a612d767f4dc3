"""The ledger for readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from mediafleet_core.failures import Failure, FailureCode
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.media_types import MediaKind
from mediafleet_core.uploads import (
    State,
    Upload,
)


class UploadFilter(NamedTuple):
    """Which uploads; empty fields do not restrict. Times are half open: created at or after, and before."""

    states: frozenset[State] = frozenset()
    kinds: frozenset[MediaKind] = frozenset()
    collection: str = ""
    batch_id: str = ""
    labels: Mapping[str, str] = {}
    created_from: datetime | None = None
    created_before: datetime | None = None
    text: str = ""
    failure_codes: frozenset[FailureCode] = frozenset()

    def covers(self, upload: Upload) -> bool:
        """Whether the upload is among those asked for, its state included."""
        return (
            self.covers_state(upload.state, upload.failure)
            and (not self.kinds or upload.kind in self.kinds)
            and (not self.collection or upload.spec.collection == self.collection)
            and (not self.batch_id or upload.spec.batch_id == self.batch_id)
            and all(upload.labels.get(name) == value for name, value in self.labels.items())
            and (self.created_from is None or upload.create_time >= self.created_from)
            and (self.created_before is None or upload.create_time < self.created_before)
            and (not self.text or self.text.casefold() in upload.spec.display_name.casefold())
        )

    def covers_state(self, state: State, failure: Failure | None) -> bool:
        """Whether an upload in this state, and with this failure, is among those asked for."""
        return (not self.states or state in self.states) and (
            not self.failure_codes or (failure is not None and failure.code in self.failure_codes)
        )


class Page(NamedTuple):
    """One page of a listing: `next_after` continues it, "" at the end; `total` counts all that the filter covers."""

    uploads: tuple[Upload, ...]
    next_after: str
    total: int


class ReadingLedger(Protocol):
    """Records and listings; reads change nothing."""

    async def get(self, upload_id: UploadId, tenant: TenantId | None = None) -> Upload:
        """The record. Raises UPLOAD_NOT_FOUND, also for another tenant's."""

    async def list(
        self,
        tenant: TenantId,
        which: UploadFilter,
        *,
        limit: int,
        after: str = "",
        oldest_first: bool = False,
    ) -> Page:
        """A page in order of creation, newest first unless asked otherwise; no row that stays is skipped or repeated.

        `total` is exact for at most one restriction besides time, and an upper bound otherwise.
        """

    async def tenants(self) -> Sequence[TenantId]:
        """Every tenant that ever had an upload, by name."""

    async def check(self) -> None:
        """Raise LEDGER_UNAVAILABLE if the ledger does not answer."""
