"""What waits for one watcher. Bounded, and never in the way of a publisher."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict, deque

from mediafleet_core.events import Cursor, LogEntry, ProgressMade
from mediafleet_core.identity import UploadId

MOST_CHANGES = 1_000
"""State changes that may wait for a slow watcher; beyond them it reads the record again instead."""

MOST_UPLOADS = 10_000
"""Uploads of which a watcher's latest progress and last sequence are kept."""


class Mailbox:
    """State changes in order, and the latest progress per upload.

    `gap` says that changes were dropped: the watcher has to read what it missed from the ledger. `ended` says that it
    cannot: the ledger may have forgotten what the watcher has seen.
    """

    def __init__(self) -> None:
        """Empty, without a gap."""
        self.changes: deque[tuple[Cursor, LogEntry]] = deque()
        self.gap = False
        self.ended = False
        self._progress: OrderedDict[UploadId, ProgressMade] = OrderedDict()
        self._seen: OrderedDict[UploadId, int] = OrderedDict()
        self._bell = asyncio.Event()

    def put(self, cursor: Cursor, entry: LogEntry) -> None:
        """Add a state change; a full mailbox gets a gap instead."""
        if len(self.changes) >= MOST_CHANGES:
            self.lose()
        elif not self.gap:
            self.changes.append((cursor, entry))
            self._bell.set()

    def put_progress(self, made: ProgressMade) -> None:
        """Replace the latest progress of an upload."""
        self._progress[made.upload_id] = made
        self._progress.move_to_end(made.upload_id)
        if len(self._progress) > MOST_UPLOADS:
            self._progress.popitem(last=False)
        self._bell.set()

    def lose(self) -> None:
        """Forget what waits, and leave a gap."""
        self.changes.clear()
        self.gap = True
        self._bell.set()

    def end(self) -> None:
        """The watcher has to begin anew."""
        self.ended = True
        self._bell.set()

    def first_time(self, upload_id: UploadId, sequence: int) -> bool:
        """Whether this state change is new to the watcher; from now on it is not."""
        if sequence <= self._seen.get(upload_id, 0):
            return False
        self._seen[upload_id] = sequence
        self._seen.move_to_end(upload_id)
        if len(self._seen) > MOST_UPLOADS:
            self._seen.popitem(last=False)
        return True

    def take_progress(self) -> list[ProgressMade]:
        """Latest progress that follows what the watcher has seen; what runs ahead of its state change waits on."""
        ready: list[ProgressMade] = []
        for upload_id, made in list(self._progress.items()):
            seen = self._seen.get(upload_id, made.sequence)
            if made.sequence <= seen:
                del self._progress[upload_id]
            if made.sequence == seen:
                ready.append(made)
        return ready

    @property
    def has_progress(self) -> bool:
        """Whether any progress waits."""
        return bool(self._progress)

    async def wait(self, seconds: float) -> None:
        """Until something new is put in, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._bell.wait()
        self._bell.clear()
