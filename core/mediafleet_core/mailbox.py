"""What waits for one watcher. Bounded, and never in the way of a publisher."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from prometheus_client import Counter

from mediafleet_core.events import About, Cursor, Heartbeat, LogEntry, Message, ProgressMade
from mediafleet_core.identity import UploadId

_T = TypeVar("_T")

COALESCED = Counter("mediafleet_watch_coalesced", "Progress that a watcher did not get, as newer was there before.")

MOST_CHANGES = 1_000
"""State changes that may wait for a slow watcher; beyond them it reads the record again instead."""

MOST_UPLOADS = 10_000
"""Uploads of which a watcher's latest progress and last sequence are kept."""


class Mailbox:
    """State changes in order, the latest progress per upload, and the latest heartbeat.

    `gap` says that changes were dropped: the watcher has to read what it missed from the ledger. `ended` says that it
    cannot: the ledger may have forgotten what the watcher has seen. Messages are shared
    with all other watchers; thousands of mailboxes exist at once, so an idle one is small and owns no timer.
    """

    __slots__ = (
        *("_bell", "_due", "_interval", "_loop", "_progress", "_rung", "_seen", "_timer", "_wants"),
        *("_beat", "changes", "ended", "gap"),
    )

    def __init__(self, min_interval: float = 0.0, wants: Callable[[About], bool] = lambda _: True) -> None:
        """Empty, without a gap. `min_interval` seconds lie between two looks at progress; `wants` says what is kept."""
        self.changes: list[Message[LogEntry]] = []
        self.gap = False
        self.ended = False
        self._beat: Message[Heartbeat] | None = None
        self._wants = wants
        self._interval = min_interval
        self._due = 0.0
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._progress: dict[UploadId, Message[ProgressMade]] = {}
        self._seen: dict[UploadId, int] = {}
        self._bell: asyncio.Future[None] | None = None
        self._rung = False

    def put(self, message: Message[LogEntry]) -> None:
        """Add a state change; a full mailbox gets a gap instead."""
        if self.gap or not self._wants(message.event):
            return
        if len(self.changes) >= MOST_CHANGES:
            self.lose()
        else:
            self.changes.append(message)
            self._ring()

    def put_progress(self, message: Message[ProgressMade]) -> None:
        """Replace the latest progress of an upload; the watcher is woken when the interval since the last is over."""
        if self._wants(message.event):
            if message.event.upload_id in self._progress:
                COALESCED.inc()
            _keep(self._progress, message.event.upload_id, message)
            self._ring_in(self._due - self._loop.time())

    def put_beat(self, message: Message[Heartbeat]) -> None:
        """Replace the latest heartbeat."""
        self._beat = message
        self._ring()

    def lose(self) -> None:
        """Forget what waits, and leave a gap."""
        self.changes.clear()
        self.gap = True
        self._ring()

    def end(self) -> None:
        """The watcher has to begin anew."""
        self.ended = True
        self._ring()

    def first_time(self, upload_id: UploadId, sequence: int) -> bool:
        """Whether this state change is new to the watcher; from now on it is not."""
        if sequence <= self._seen.get(upload_id, 0):
            return False
        _keep(self._seen, upload_id, sequence)
        return True

    def take_progress(self) -> list[Message[ProgressMade]]:
        """Latest progress, if it is due, that follows what the watcher has seen; what runs ahead of it waits on."""
        if not self._progress:
            return []
        now = self._loop.time()
        if now < self._due:
            self._ring_in(self._due - now)
            return []
        ready: list[Message[ProgressMade]] = []
        for upload_id, message in list(self._progress.items()):
            sequence = message.event.sequence
            seen = self._seen.get(upload_id, sequence)
            if sequence <= seen:
                del self._progress[upload_id]
            if sequence == seen:
                ready.append(message)
        if ready:
            self._due = now + self._interval
        return ready

    def take_beat(self, last: Cursor) -> Message[Heartbeat] | None:
        """The heartbeat, if there is one: as all get it, or at `last` where something before its place still waits."""
        beat, self._beat = self._beat, None
        if beat is None or not (self.changes or self.gap or self.ended or beat.cursor is None or beat.cursor < last):
            return beat
        return Message(last, beat.event)

    async def wait(self) -> None:
        """Until something new is put in."""
        if not self._rung:
            self._bell = self._loop.create_future()
            try:
                await self._bell
            finally:
                self._bell = None
        self._rung = False

    def close(self) -> None:
        """Nobody reads it any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _ring_in(self, seconds: float) -> None:
        if seconds <= 0:
            self._ring()
        elif self._timer is None:
            self._timer = self._loop.call_later(seconds, self._ring_late)

    def _ring_late(self) -> None:
        self._timer = None
        self._ring()

    def _ring(self) -> None:
        self._rung = True
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)


def _keep(rows: dict[UploadId, _T], upload_id: UploadId, value: _T) -> None:
    """Make it the newest row, and drop the oldest beyond what a watcher may hold."""
    rows.pop(upload_id, None)
    rows[upload_id] = value
    if len(rows) > MOST_UPLOADS:
        del rows[next(iter(rows))]
