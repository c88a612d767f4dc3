"""Watching a batch: a snapshot or what was missed, then its changes until the terminal one.

A batch changes its state a few times in its life and its counters all the time. So a watcher is told every change of
state, from the record's own history, and of the rest the latest at intervals. Each process reads a watched batch once
for all who watch it; no message between processes is needed, and none can be lost.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from mediafleet_core.batches import BatchChange, BatchView
from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.events import Cursor, Heartbeat, Resumed
from mediafleet_core.identity import BatchId, TenantId
from mediafleet_core.ports import BatchLedger

LEAST_INTERVAL = timedelta(milliseconds=100)
"""Between two looks at a batch, whatever a watcher asks for."""

MOST_INTERVAL = timedelta(milliseconds=500)
"""Between two looks: changes of state and heartbeats do not wait until progress is due."""

AGAIN_AFTER = 0.2
"""Seconds before a ledger that did not answer is asked again."""


class BatchSnapshot(NamedTuple):
    """The batch as it stands; the first message, unless the watcher resumed."""

    view: BatchView


class BatchChanged(NamedTuple):
    """A change of state; `view` is the batch after it, None where it has changed again since."""

    change: BatchChange
    view: BatchView | None


class BatchProgressed(NamedTuple):
    """Counters have moved."""

    view: BatchView


BatchEvent = BatchSnapshot | BatchChanged | BatchProgressed | Heartbeat | Resumed
"""What a watcher receives; that the watch was resumed is for the transport, and no message of its own."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class BatchMessage:
    """One message to a watcher: where to resume behind it, and what happened.

    Watchers of a process share it, so it is known by its identity: what the transport makes of it is made once.
    """

    cursor: Cursor
    time: datetime
    event: BatchEvent


class _Moment:
    """A batch as it was read once; all who are told the same of it get the same message."""

    def __init__(self, view: BatchView) -> None:
        self.view = view
        self._told: dict[tuple[type[BatchEvent], int, int], BatchMessage] = {}

    def tell(self, seen: int, event: BatchEvent, time: datetime | None = None) -> BatchMessage:
        """A batch's cursor is the number of its latest change that the watcher has seen."""
        what = (type(event), seen, event.change.sequence if isinstance(event, BatchChanged) else 0)
        if what not in self._told:
            self._told[what] = BatchMessage(Cursor(self.view.epoch, seen, 0), time or _now(), event)
        return self._told[what]


class _Reading(NamedTuple):
    begun: float
    moment: asyncio.Task[_Moment]


class BatchWatching:
    """The watchers of batches in one process."""

    def __init__(self, ledger: BatchLedger) -> None:
        self._ledger = ledger
        self._watchers: Counter[tuple[BatchId, TenantId]] = Counter()
        self._readings: dict[tuple[BatchId, TenantId], _Reading] = {}

    async def watch(
        self,
        batch_id: BatchId,
        tenant: TenantId,
        *,
        after: Cursor | None = None,
        min_interval: timedelta,
        heartbeat: timedelta,
    ) -> AsyncGenerator[BatchMessage, None]:
        """Follow one batch until its terminal state, which is the last message.

        `after` resumes without loss or repeats, which is told first; a cursor that cannot do so gives a snapshot.
        Raises BATCH_NOT_FOUND.
        """
        interval = max(min_interval, LEAST_INTERVAL).total_seconds()
        look = min(interval, MOST_INTERVAL.total_seconds())
        with self._counted(batch_id, tenant):
            moment = await self._read(batch_id, tenant, 0.0)
            view = moment.view
            seen, shown = view.batch.sequence, view
            if after is not None and _continues(view, after):
                seen = after.milliseconds
                yield moment.tell(seen, Resumed(time=_now()))
            else:
                yield moment.tell(seen, BatchSnapshot(view))
            loop = asyncio.get_running_loop()
            beat = loop.time() + heartbeat.total_seconds()
            due = loop.time()
            while True:
                if view.batch.sequence < seen:  # the ledger has forgotten what was told
                    seen, shown = view.batch.sequence, view
                    yield moment.tell(seen, BatchSnapshot(view))
                for change in view.changes:
                    if change.sequence > seen:
                        seen, shown = change.sequence, view
                        latest = view if seen == view.batch.sequence else None
                        yield moment.tell(seen, BatchChanged(change, latest), change.time)
                if view.batch.state.terminal:
                    return
                if loop.time() >= due and _moves(view) != _moves(shown):
                    shown, due = view, loop.time() + interval - look / 2
                    yield moment.tell(seen, BatchProgressed(view))
                if loop.time() >= beat:
                    beat = loop.time() + heartbeat.total_seconds()
                    yield moment.tell(seen, Heartbeat(time=_now()))
                await asyncio.sleep(look)
                moment = await self._persistently(batch_id, tenant, look / 2) or moment
                view = moment.view

    async def _persistently(self, batch_id: BatchId, tenant: TenantId, freshness: float) -> _Moment | None:
        """None while the ledger does not answer: a watch outlives that."""
        try:
            return await self._read(batch_id, tenant, freshness)
        except MediafleetError as error:
            if error.reason is not Reason.LEDGER_UNAVAILABLE:
                raise
        await asyncio.sleep(AGAIN_AFTER)
        return None

    async def _read(self, batch_id: BatchId, tenant: TenantId, freshness: float) -> _Moment:
        """The batch as it was at most `freshness` seconds ago."""
        key, now = (batch_id, tenant), asyncio.get_running_loop().time()
        reading = self._readings.get(key)
        if reading is None or now - reading.begun > freshness:
            reading = _Reading(now, asyncio.create_task(self._look(batch_id, tenant)))
            reading.moment.add_done_callback(_heard)
            self._readings[key] = reading
        return await asyncio.shield(reading.moment)

    async def _look(self, batch_id: BatchId, tenant: TenantId) -> _Moment:
        return _Moment(await self._ledger.batch(batch_id, tenant))

    @contextmanager
    def _counted(self, batch_id: BatchId, tenant: TenantId) -> Iterator[None]:
        key = (batch_id, tenant)
        self._watchers[key] += 1
        try:
            yield
        finally:
            self._watchers[key] -= 1
            if not self._watchers[key]:
                del self._watchers[key]
                self._readings.pop(key, None)


def _heard(reading: asyncio.Task[_Moment]) -> None:
    if not reading.cancelled():
        reading.exception()  # for whoever waits; where nobody does any more, it is no news


def _continues(view: BatchView, after: Cursor) -> bool:
    """Whether the batch's history has every change behind the cursor."""
    known = after.epoch == view.epoch and after.milliseconds <= view.batch.sequence
    return known and view.changes[0].sequence <= after.milliseconds + 1


def _moves(view: BatchView) -> tuple[object, ...]:
    """What progress is about; the rate changes while nothing happens."""
    batch = view.batch
    at_work = [(upload.upload_id, upload.progress) for upload in view.running]
    return batch.counts, batch.bytes_done, batch.bytes_total, at_work


def _now() -> datetime:
    return datetime.now(UTC)
