"""The watch of many uploads."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta

from mediafleet_core.events import About, Cursor, Deleted, Heartbeat, LogEntry, Message, Resumed, Snapshot, WatchEvent
from mediafleet_core.identity import TenantId
from mediafleet_core.mailbox import Mailbox
from mediafleet_core.ports import UploadFilter
from mediafleet_core.watching.reader import EVERYTHING, Reader, now, something

PAGE = 200
"""Rows read at once for snapshots and replays."""

MOST_REPLAYED = 10_000
"""Entries of the log, of any tenant, that a watch of many reads to catch up; beyond them snapshots are cheaper."""


async def follow(
    reader: Reader,
    tenant: TenantId | None,
    which: UploadFilter,
    after: Cursor | None,
    min_interval: timedelta,
    most_replayed: int,
) -> AsyncGenerator[Message[WatchEvent], None]:
    """See `Watching.watch_many`."""

    def belongs(about: About) -> bool:
        return _belongs(about, tenant, which)

    topic = ("tenant", tenant) if tenant is not None else EVERYTHING
    with reader.subscribed(topic, Mailbox(min_interval.total_seconds(), belongs)) as box:
        await reader.read_on()
        last = after if after is not None and await reader.ledger.holds(after) else None
        if last is not None:
            yield Message(last, Resumed(time=now()))
        box.gap = True
        while True:
            if box.gap or last is None:
                box.gap = False
                lost, read = last is None or not await reader.ledger.holds(last), 0
                if last is not None and not lost:
                    async for change in _after(reader, last):
                        last, read = change.cursor or last, read + 1
                        if belongs(change.event) and _is_told(box, change.event, which):
                            yield change
                        lost = read >= most_replayed
                        if lost:
                            break
                if last is None or lost:
                    last = await reader.ledger.position()
                    async for snapshot in _snapshots(reader, box, tenant, which):
                        yield Message(None, snapshot)
                    yield Message(last, Heartbeat(time=now()))
            while box.changes:
                change = box.changes.pop(0)
                if change.cursor is not None and change.cursor > last:
                    last = change.cursor
                    if _is_told(box, change.event, which):
                        yield change
            for made in box.take_progress():
                yield made
            if beat := box.take_beat(last):
                last = beat.cursor or last
                yield beat
            await something(box)


async def _after(reader: Reader, cursor: Cursor) -> AsyncIterator[Message[LogEntry]]:
    while rows := await reader.ledger.read(cursor, limit=PAGE):
        for place, entry in rows:
            yield Message(place, entry)
        cursor = rows[-1][0]


async def _snapshots(
    reader: Reader, box: Mailbox, tenant: TenantId | None, which: UploadFilter
) -> AsyncIterator[Snapshot]:
    for each in await reader.ledger.tenants() if tenant is None else [tenant]:
        after = ""
        while True:
            page = await reader.ledger.list(each, which, limit=PAGE, after=after)
            for upload in page.uploads:
                box.first_time(upload.upload_id, upload.sequence)
                yield Snapshot(upload=upload, time=now())
            after = page.next_after
            if not after:
                break


def _belongs(about: About, tenant: TenantId | None, which: UploadFilter) -> bool:
    return (
        (tenant is None or about.tenant == tenant)
        and (not which.collection or about.collection == which.collection)
        and (not which.batch_id or about.batch_id == which.batch_id)
        and (not which.kinds or about.kind in which.kinds)
    )


def _is_told(box: Mailbox, entry: LogEntry, which: UploadFilter) -> bool:
    """Whether the watcher wants this entry and has not had it."""
    if not box.first_time(entry.upload_id, entry.sequence):
        return False
    return isinstance(entry, Deleted) or which.covers_state(entry.state, entry.failure)
