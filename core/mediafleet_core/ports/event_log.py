"""The stream of what happens."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import NamedTuple, Protocol

from mediafleet_core.events import Cursor, LogEntry, ProgressMade
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.uploads import (
    Upload,
)


class History(NamedTuple):
    """A record and its own state changes, oldest first, each with its place in the event log, read in one step."""

    upload: Upload
    entries: tuple[tuple[Cursor, LogEntry], ...]


class EventLog(Protocol):
    """The one ordered stream of state changes, and the latest-value channel of progress."""

    async def position(self) -> Cursor:
        """The place of the newest entry."""

    async def holds(self, cursor: Cursor) -> bool:
        """Whether the log can be read on from here: the entry of this place is neither trimmed nor lost."""

    async def history(self, upload_id: UploadId, tenant: TenantId | None = None) -> History:
        """The record with its own state changes. Raises UPLOAD_NOT_FOUND."""

    async def read(self, after: Cursor, *, limit: int) -> Sequence[tuple[Cursor, LogEntry]]:
        """Entries after a place, at once, oldest first; empty at the end."""

    def tail(self, after: Cursor) -> AsyncGenerator[tuple[Cursor, LogEntry], None]:
        """Entries after a place as they come, for ever; raises LEDGER_UNAVAILABLE when the connection breaks."""

    def progress(self) -> AsyncIterator[ProgressMade]:
        """Progress of every upload as it is reported, for ever; a slow reader loses older values, never the newest."""
