"""The ledger for the one who keeps house."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import NamedTuple, Protocol

from mediafleet_core.identity import UploadId
from mediafleet_core.media_types import MediaKind
from mediafleet_core.ports.object_store import UnfinishedMultipart
from mediafleet_core.uploads import (
    Upload,
)


class Sweep(NamedTuple):
    """Objects that no record names any more: everything below `prefix`, and an unfinished multipart if there is one.

    `keep` is the one key below `prefix` that a record does name. Safe to repeat; `token` names the entry in the ledger.
    """

    token: str
    prefix: str
    multipart_key: str = ""
    multipart_id: str = ""
    keep: str = ""


class HousekeepingLedger(Protocol):
    """What is due, what was lost, what is left to clean up."""

    async def lead(self, owner: str, lease: timedelta, *, job_lease: timedelta) -> bool:
        """Whether `owner` does the housekeeping for the next `lease`.

        Every worker asks again and again: where none has for half a `job_lease`, there was an outage.
        """

    async def due(self) -> Collection[MediaKind]:
        """Kinds of which work is due, unless they are paused or all its tenants run as many as they may."""

    async def end_lost_leases(self, lease: timedelta) -> Sequence[Upload]:
        """PROCESSING -> QUEUED (or FAILED after too many), CANCELLING -> CANCELLED, for every lease that has ended.

        After an outage of the ledger, or of all workers, waits one full `lease` first.
        """

    async def expire(self, limit: int) -> Sequence[Upload]:
        """RECEIVING -> EXPIRED for uploads past their time; drops originals whose retry retention is over."""

    async def sweeps(self, limit: int, *, upload_id: UploadId | None = None) -> Sequence[Sweep]:
        """Sweeps that are due, or (with `upload_id`) every one of an upload."""

    async def swept(self, sweep: Sweep) -> None:
        """The sweep ran: it is due once more after the longest storage time-out, then forgotten."""

    async def strays(self, unfinished: Sequence[UnfinishedMultipart]) -> Sequence[UnfinishedMultipart]:
        """Those that no record names, because whoever began them died or never learned their ids."""

    async def manifests(self, limit: int) -> Sequence[Upload]:
        """Committed uploads whose manifest is not written yet, due for more than a few seconds."""

    async def manifest_written(self, upload: Upload) -> None:
        """The manifest of this revision stands beside the bytes."""
