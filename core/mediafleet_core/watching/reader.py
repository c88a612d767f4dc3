"""The one reader of the event log in a process, which hands each entry to the mailboxes of its watchers."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Coroutine, Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Protocol

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.events import About, Cursor, Heartbeat, LogEntry, Message, ProgressMade
from mediafleet_core.mailbox import Mailbox
from mediafleet_core.ports import EventLog, Ledger
from mediafleet_core.watching.heart import Heart

RECONNECT_AFTER = 0.2
"""Seconds before the reader asks a ledger again that did not answer."""

Topic = tuple[str, str]
"""What a mailbox is for: ("upload", id), ("tenant", id) or EVERYTHING."""

EVERYTHING: Topic = ("all", "")


class WatchedLedger(Ledger, EventLog, Protocol):
    """What watching reads: records and the event log."""


def now() -> datetime:
    """By the clock of this process."""
    return datetime.now(UTC)


async def something(box: Mailbox) -> None:
    """Wait until the mailbox has something new. Raises LEDGER_UNAVAILABLE if the watch cannot go on."""
    await box.wait()
    if box.ended:
        raise MediafleetError(Reason.LEDGER_UNAVAILABLE, "the log of events was interrupted; go on", retry_after=0.1)


class Reader:
    """Each entry becomes one message, whoever gets it."""

    def __init__(self, ledger: WatchedLedger, heart: Heart) -> None:
        """Reads while `work` runs and somebody has subscribed."""
        self.ledger = ledger
        self._heart = heart
        self._boxes: defaultdict[Topic, set[Mailbox]] = defaultdict(set)
        self._place: Cursor | None = None
        """Up to where the log was read for the watchers; None while there are none."""
        self._placed = asyncio.Event()

    @property
    def watchers(self) -> int:
        """How many mailboxes there are."""
        return sum(map(len, self._boxes.values()))

    def work(self) -> tuple[Coroutine[None, None, None], ...]:
        """What runs as long as the process watches."""
        return self._read_changes(), self._read_progress(), self._heart.beat(self._heartbeat)

    @contextlib.contextmanager
    def subscribed(self, topic: Topic, box: Mailbox) -> Iterator[Mailbox]:
        """The mailbox gets what its topic is about, and heartbeats."""
        self._boxes[topic].add(box)
        heard = self._heart.join(box)
        try:
            yield box
        finally:
            box.close()
            heard.discard(box)
            self._boxes[topic].discard(box)
            if not self._boxes[topic]:
                del self._boxes[topic]

    async def read_on(self) -> None:
        """From now on the log is read: a mailbox that has subscribed misses nothing that comes after this."""
        if self._place is None:
            position = await self.ledger.position()
            if self._place is None:  # of several who ask at once, the first answer serves all: each reads records later
                self._place = position
                self._placed.set()

    async def _read_changes(self) -> None:
        while True:
            if self._place is None:
                await self._placed.wait()
            try:
                await self._read_while_watched()
            except MediafleetError:
                await self._find_place()

    async def _read_while_watched(self) -> None:
        assert self._place is not None
        async with aclosing(self.ledger.tail(self._place)) as entries:
            async for cursor, entry in entries:
                self._place = cursor
                message: Message[LogEntry] = Message(cursor, entry)
                for box in self._of(entry):
                    box.put(message)
                if not self._boxes:
                    self._place = None
                    self._placed.clear()
                    return

    async def _find_place(self) -> None:
        """After an outage: go on from the same place.

        Where the log has it no more, Redis may have forgotten changes that were told: watches end, and whoever comes
        again with a cursor gets a snapshot.
        """
        while True:
            await asyncio.sleep(RECONNECT_AFTER)
            with contextlib.suppress(MediafleetError):
                if self._place is not None and not await self.ledger.holds(self._place):
                    self._place = await self.ledger.position()
                    for boxes in self._boxes.values():
                        for box in boxes:
                            box.end()
                return

    async def _read_progress(self) -> None:
        while True:
            try:
                async for made in self.ledger.progress():
                    # No place to resume from: it is not in the log.
                    message: Message[ProgressMade] = Message(None, made)
                    for box in self._of(made):
                        box.put_progress(message)
            except MediafleetError:
                await asyncio.sleep(RECONNECT_AFTER)

    def _heartbeat(self) -> Message[Heartbeat] | None:
        return Message(self._place, Heartbeat(time=now())) if self._place else None

    def _of(self, about: About) -> Iterator[Mailbox]:
        for topic in (("upload", about.upload_id), ("tenant", about.tenant), EVERYTHING):
            yield from self._boxes.get(topic, ())
