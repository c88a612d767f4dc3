"""Watching: a snapshot or a replay, then the tail until the terminal message.

One `Watching` per process reads the event log once for all its watchers, and stops at the first entry that finds none.
A watcher subscribes before it reads the ledger, and drops what it has seen by sequence, so nothing falls between the
two.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Protocol, Self, TypeVar

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.events import (
    Cursor,
    Deleted,
    Heartbeat,
    LogEntry,
    Message,
    ProgressMade,
    Snapshot,
)
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.mailbox import Mailbox
from mediafleet_core.ports import EventLog, History, Ledger, UploadFilter

RECONNECT_AFTER = 0.2
"""Seconds before the reader asks a ledger again that did not answer."""

PAGE = 200
"""Rows read at once for snapshots and replays."""

MOST_REPLAYED = 10_000
"""Entries of the log, of any tenant, that a watch of many reads to catch up; beyond them snapshots are cheaper."""


class WatchedLedger(Ledger, EventLog, Protocol):
    """What watching reads: records and the event log."""


class Watching:
    """The watchers of one process, and the one reader that serves them."""

    def __init__(self, ledger: WatchedLedger, *, most_replayed: int = MOST_REPLAYED) -> None:
        """An async context manager: the reader runs inside it."""
        self._ledger = ledger
        self._most_replayed = most_replayed
        self._of_upload: defaultdict[UploadId, set[Mailbox]] = defaultdict(set)
        self._of_tenant: defaultdict[TenantId, set[Mailbox]] = defaultdict(set)
        self._tasks: list[asyncio.Task[None]] = []
        self._place: Cursor | None = None
        """Up to where the log was read for the watchers; None while there are none."""
        self._placed = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Ready for watchers."""
        self._tasks = [asyncio.create_task(self._read_changes()), asyncio.create_task(self._read_progress())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop reading; watchers get nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def watchers(self) -> int:
        """How many watches are open."""
        return sum(map(len, self._of_upload.values())) + sum(map(len, self._of_tenant.values()))

    async def watch(
        self,
        upload_id: UploadId,
        tenant: TenantId,
        *,
        after: Cursor | None = None,
        min_interval: timedelta,
        heartbeat: timedelta,
    ) -> AsyncGenerator[Message, None]:
        """Follow one upload until its terminal state or its deletion, which is the last message.

        `after` resumes without loss or repeats; a cursor that cannot do so gives a snapshot. Raises UPLOAD_NOT_FOUND.
        """
        with _subscribed(self._of_upload, upload_id) as box:
            await self._read_on()
            history = await self._ledger.history(upload_id, tenant)
            last = history.entries[-1][0]
            if after is not None and await self._ledger.holds(after) and _reaches_back(history, after):
                for cursor, entry in history.entries:
                    if cursor <= after:
                        box.first_time(upload_id, entry.sequence)
                box.changes.extendleft(row for row in reversed(history.entries) if row[0] > after)
                last = after
            else:
                box.first_time(upload_id, history.upload.sequence)
                yield Message(last, Snapshot(upload=history.upload, time=_now()))
            ticks = _Ticks(min_interval, heartbeat)
            ended = history.upload.state.terminal  # unless what has come meanwhile goes on from there
            while True:
                if box.gap:
                    box.gap = False
                    box.changes.extendleft(reversed(await self._missed(history, tenant)))
                while box.changes:
                    last, entry = box.changes.popleft()
                    if box.first_time(upload_id, entry.sequence):
                        yield Message(last, entry)
                        ended = _is_end(entry)
                if ended:
                    return
                if ticks.progress_due():
                    for made in box.take_progress():
                        yield Message(last, made)
                if ticks.heartbeat_due():
                    yield Message(last, Heartbeat(time=_now()))
                await box.wait(ticks.seconds_left(progress=box.has_progress))
                _check(box)

    async def watch_many(
        self,
        tenant: TenantId,
        which: UploadFilter,
        *,
        after: Cursor | None = None,
        min_interval: timedelta,
        heartbeat: timedelta,
    ) -> AsyncGenerator[Message, None]:
        """Follow every upload of the tenant that the filter covers, until the watcher leaves.

        Without a usable `after`: a snapshot of each, without cursors, ended by the first heartbeat. Collection, batch
        and kinds say which uploads belong; states and failure codes say which of their changes are told.
        """
        with _subscribed(self._of_tenant, tenant) as box:
            await self._read_on()
            last = after
            box.gap = True
            ticks = _Ticks(min_interval, heartbeat)
            while True:
                if box.gap or last is None:
                    box.gap = False
                    lost, read = last is None or not await self._ledger.holds(last), 0
                    if last is not None and not lost:
                        async for cursor, entry in self._after(last):
                            last, read = cursor, read + 1
                            if _is_told(box, entry, tenant, which):
                                yield Message(cursor, entry)
                            lost = read >= self._most_replayed
                            if lost:
                                break
                    if last is None or lost:
                        last = await self._ledger.position()
                        async for snapshot in self._snapshots(box, tenant, which):
                            yield Message(None, snapshot)
                        yield Message(last, Heartbeat(time=_now()))
                while box.changes:
                    cursor, entry = box.changes.popleft()
                    if cursor > last:
                        last = cursor
                        if _is_told(box, entry, tenant, which):
                            yield Message(cursor, entry)
                if ticks.progress_due():
                    for made in box.take_progress():
                        if _belongs(made, tenant, which):
                            yield Message(last, made)
                if ticks.heartbeat_due():
                    if not (box.gap or box.changes):
                        last = max(last, self._place or last)
                    yield Message(last, Heartbeat(time=_now()))
                await box.wait(ticks.seconds_left(progress=box.has_progress))
                _check(box)

    async def _missed(self, history: History, tenant: TenantId) -> list[tuple[Cursor, LogEntry]]:
        """The upload's own changes as the ledger has them now; its deletion, if it is gone."""
        upload = history.upload
        try:
            return list((await self._ledger.history(upload.upload_id, tenant)).entries)
        except MediafleetError as error:
            if error.reason is not Reason.UPLOAD_NOT_FOUND:
                raise
        gone = Deleted(
            upload_id=upload.upload_id,
            tenant=tenant,
            sequence=_BEYOND_ANY_SEQUENCE,
            time=_now(),
            collection=upload.spec.collection,
            batch_id=upload.spec.batch_id or "",
            kind=upload.kind,
        )
        return [(await self._ledger.position(), gone)]

    async def _after(self, cursor: Cursor) -> AsyncIterator[tuple[Cursor, LogEntry]]:
        while rows := await self._ledger.read(cursor, limit=PAGE):
            for row in rows:
                yield row
            cursor = rows[-1][0]

    async def _snapshots(self, box: Mailbox, tenant: TenantId, which: UploadFilter) -> AsyncIterator[Snapshot]:
        after = ""
        while True:
            page = await self._ledger.list(tenant, which, limit=PAGE, after=after)
            for upload in page.uploads:
                box.first_time(upload.upload_id, upload.sequence)
                yield Snapshot(upload=upload, time=_now())
            after = page.next_after
            if not after:
                return

    async def _read_on(self) -> None:
        """From now on the log is read: a watcher that has subscribed misses nothing that comes after this."""
        if self._place is None:
            position = await self._ledger.position()
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
        async with aclosing(self._ledger.tail(self._place)) as entries:
            async for cursor, entry in entries:
                self._place = cursor
                for box in self._boxes(entry):
                    box.put(cursor, entry)
                if not (self._of_upload or self._of_tenant):
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
                if self._place is not None and not await self._ledger.holds(self._place):
                    self._place = await self._ledger.position()
                    for boxes in (*self._of_upload.values(), *self._of_tenant.values()):
                        for box in boxes:
                            box.end()
                return

    async def _read_progress(self) -> None:
        while True:
            try:
                async for made in self._ledger.progress():
                    for box in self._boxes(made):
                        box.put_progress(made)
            except MediafleetError:
                await asyncio.sleep(RECONNECT_AFTER)

    def _boxes(self, about: LogEntry | ProgressMade) -> Iterator[Mailbox]:
        yield from self._of_upload.get(about.upload_id, ())
        yield from self._of_tenant.get(about.tenant, ())


_BEYOND_ANY_SEQUENCE = 2**53
"""The sequence of a deletion whose own was missed: newer than all a watcher has seen."""


class _Ticks:
    """When the next progress and the next heartbeat are due."""

    def __init__(self, min_interval: timedelta, heartbeat: timedelta) -> None:
        self._interval, self._heartbeat = min_interval.total_seconds(), heartbeat.total_seconds()
        self._next_progress = time.monotonic()
        self._next_heartbeat = time.monotonic() + self._heartbeat

    def progress_due(self) -> bool:
        now = time.monotonic()
        if now < self._next_progress:
            return False
        self._next_progress = now + self._interval
        return True

    def heartbeat_due(self) -> bool:
        now = time.monotonic()
        if now < self._next_heartbeat:
            return False
        self._next_heartbeat = now + self._heartbeat
        return True

    def seconds_left(self, *, progress: bool) -> float:
        due = min(self._next_progress, self._next_heartbeat) if progress else self._next_heartbeat
        return due - time.monotonic()


_Key = TypeVar("_Key")


@contextlib.contextmanager
def _subscribed(boxes: defaultdict[_Key, set[Mailbox]], key: _Key) -> Iterator[Mailbox]:
    box = Mailbox()
    boxes[key].add(box)
    try:
        yield box
    finally:
        boxes[key].discard(box)
        if not boxes[key]:
            del boxes[key]


def _check(box: Mailbox) -> None:
    if box.ended:
        raise MediafleetError(Reason.LEDGER_UNAVAILABLE, "the log of events was interrupted; go on", retry_after=0.1)


def _reaches_back(history: History, after: Cursor) -> bool:
    """Whether the record's own history holds every change after the cursor."""
    cursor, entry = history.entries[0]
    return cursor <= after or entry.sequence == 1


def _belongs(about: LogEntry | ProgressMade, tenant: TenantId, which: UploadFilter) -> bool:
    return (
        about.tenant == tenant
        and (not which.collection or about.collection == which.collection)
        and (not which.batch_id or about.batch_id == which.batch_id)
        and (not which.kinds or about.kind in which.kinds)
    )


def _is_told(box: Mailbox, entry: LogEntry, tenant: TenantId, which: UploadFilter) -> bool:
    """Whether the watcher wants this entry and has not had it."""
    if not _belongs(entry, tenant, which) or not box.first_time(entry.upload_id, entry.sequence):
        return False
    return isinstance(entry, Deleted) or which.covers_state(entry.state, entry.failure)


def _is_end(entry: LogEntry) -> bool:
    return isinstance(entry, Deleted) or entry.state.terminal


def _now() -> datetime:
    return datetime.now(UTC)
