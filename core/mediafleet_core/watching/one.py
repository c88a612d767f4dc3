"""The watch of one upload."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from typing import NamedTuple

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.events import Cursor, Deleted, LogEntry, Message, Resumed, Snapshot, WatchEvent
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.mailbox import Mailbox
from mediafleet_core.uploads import Upload
from mediafleet_core.watching.reader import Reader, now, something


async def follow(
    reader: Reader, upload_id: UploadId, tenant: TenantId, after: Cursor | None, min_interval: timedelta
) -> AsyncGenerator[Message[WatchEvent], None]:
    """See `Watching.watch`."""
    with reader.subscribed(("upload", upload_id), Mailbox(min_interval.total_seconds())) as box:
        await reader.read_on()
        first, last, ended, gone = await _begin(reader, box, upload_id, tenant, after)
        yield first
        del first  # a snapshot is large, and a watch may last for hours
        while True:
            if box.gap:
                box.gap = False
                box.changes[:0] = await _missed(reader, gone)
            while box.changes:
                change = box.changes.pop(0)
                last = change.cursor or last
                if box.first_time(upload_id, change.event.sequence):
                    yield change
                    ended = _is_end(change.event)
            if ended:
                return
            for made in box.take_progress():
                yield made
            if beat := box.take_beat(last):
                yield beat
            await something(box)


class _Begin(NamedTuple):
    """The first message and its place; whether it ends the watch, if nothing that came meanwhile goes on from there."""

    first: Message[WatchEvent]
    last: Cursor
    ended: bool
    gone: Deleted
    """What is told if the upload turns out to be gone."""


async def _begin(reader: Reader, box: Mailbox, upload_id: UploadId, tenant: TenantId, after: Cursor | None) -> _Begin:
    upload, entries = await reader.ledger.history(upload_id, tenant)
    ended, gone = upload.state.terminal, _gone(upload)
    if after is not None and await reader.ledger.holds(after) and _reaches_back(entries, after):
        for cursor, entry in entries:
            if cursor <= after:
                box.first_time(upload_id, entry.sequence)
        box.changes[:0] = [Message(cursor, entry) for cursor, entry in entries if cursor > after]
        return _Begin(Message(after, Resumed(time=now())), after, ended, gone)
    last = entries[-1][0]
    box.first_time(upload_id, upload.sequence)
    return _Begin(Message(last, Snapshot(upload=upload, time=now())), last, ended, gone)


async def _missed(reader: Reader, gone: Deleted) -> list[Message[LogEntry]]:
    """The upload's own changes as the ledger has them now; its deletion, if it is gone."""
    try:
        entries = (await reader.ledger.history(gone.upload_id, gone.tenant)).entries
    except MediafleetError as error:
        if error.reason is not Reason.UPLOAD_NOT_FOUND:
            raise
        return [Message(await reader.ledger.position(), gone)]
    return [Message(cursor, entry) for cursor, entry in entries]


def _gone(upload: Upload) -> Deleted:
    return Deleted(
        upload_id=upload.upload_id,
        tenant=upload.tenant,
        sequence=_BEYOND_ANY_SEQUENCE,
        time=now(),
        collection=upload.spec.collection,
        batch_id=upload.spec.batch_id or "",
        kind=upload.kind,
    )


_BEYOND_ANY_SEQUENCE = 2**53
"""The sequence of a deletion whose own was missed: newer than all a watcher has seen."""


def _reaches_back(entries: Sequence[tuple[Cursor, LogEntry]], after: Cursor) -> bool:
    """Whether the record's own history holds every change after the cursor."""
    cursor, entry = entries[0]
    return cursor <= after or entry.sequence == 1


def _is_end(entry: LogEntry) -> bool:
    return isinstance(entry, Deleted) or entry.state.terminal
