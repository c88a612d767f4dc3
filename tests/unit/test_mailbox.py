"""A watcher's mailbox: bounded, coalescing, and honest about what lies before a heartbeat."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from prometheus_client import REGISTRY

from mediafleet_core import mailbox
from mediafleet_core.events import Cursor, Heartbeat, LogEntry, Message, ProgressMade, StateChanged
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.mailbox import MOST_CHANGES, Mailbox
from mediafleet_core.media_types import MediaKind
from mediafleet_core.progress import Progress
from mediafleet_core.uploads import State

TIME = datetime(2030, 1, 1, tzinfo=UTC)
A, B = UploadId("a"), UploadId("b")


def place(number: int) -> Cursor:
    return Cursor("e", number, 0)


def changed(number: int, upload_id: UploadId = A) -> Message[LogEntry]:
    entry = StateChanged(
        upload_id=upload_id,
        tenant=TenantId("ann"),
        sequence=number,
        time=TIME,
        kind=MediaKind.OTHER,
        previous=None,
        state=State.QUEUED,
        progress=Progress(),
    )
    return Message(place(number), entry)


def progress(sequence: int, percent: float, upload_id: UploadId = A) -> Message[ProgressMade]:
    made = ProgressMade(
        upload_id=upload_id,
        tenant=TenantId("ann"),
        sequence=sequence,
        time=TIME,
        kind=MediaKind.OTHER,
        progress=Progress(percent=percent),
    )
    return Message(None, made)


def percents(box: Mailbox) -> list[float]:
    return [message.event.progress.percent for message in box.take_progress()]


async def test_more_changes_than_it_holds_become_a_gap() -> None:
    box = Mailbox()
    for number in range(MOST_CHANGES):
        box.put(changed(number))
    assert (len(box.changes), box.gap) == (MOST_CHANGES, False)
    for number in range(3):
        box.put(changed(MOST_CHANGES + number))
    assert (box.changes, box.gap) == ([], True)


async def test_uploads_are_forgotten_beyond_what_it_holds() -> None:
    box = Mailbox()
    for number in range(mailbox.MOST_UPLOADS + 5):
        box.put_progress(progress(1, 50, UploadId(str(number))))
    assert len(box.take_progress()) == mailbox.MOST_UPLOADS


async def test_the_latest_progress_wins_and_waits_for_its_state_change() -> None:
    box = Mailbox()
    box.first_time(A, 2)
    for percent in (10, 20):
        box.put_progress(progress(2, percent))
    box.put_progress(progress(3, 40, B))
    assert percents(box) == [20, 40]
    box.put_progress(progress(1, 5))  # from before a change that was told
    box.put_progress(progress(3, 30))
    assert percents(box) == []
    box.first_time(A, 3)
    assert percents(box) == [30]


async def test_progress_rings_when_the_interval_is_over() -> None:
    box = Mailbox(min_interval=0.5)  # longer than the next lines take
    box.put_progress(progress(1, 10))
    await box.wait()
    assert percents(box) == [10]
    for percent in (20, 30):
        box.put_progress(progress(1, percent))
    assert percents(box) == []
    box.put(changed(2))  # which rings at once, and must not make it forget what is due later
    await box.wait()
    assert percents(box) == []
    await asyncio.wait_for(box.wait(), 60)
    assert percents(box) == [30]
    box.close()


async def test_only_what_is_wanted_is_put_in() -> None:
    box = Mailbox(wants=lambda about: about.upload_id == B)
    box.put(changed(1))
    box.put_progress(progress(1, 10))
    assert (box.changes, percents(box)) == ([], [])


async def test_a_heartbeat_never_passes_a_change_that_waits() -> None:
    box, beat = Mailbox(), Message(place(9), Heartbeat(time=TIME + timedelta(1)))
    assert box.take_beat(place(1)) is None
    box.put_beat(beat)
    assert box.take_beat(place(1)) is beat
    box.put_beat(beat)
    box.put(changed(8))
    behind = box.take_beat(place(1))
    assert behind is not None
    assert (behind.cursor, behind.event) == (place(1), beat.event)
    box.changes.clear()
    box.put_beat(beat)
    ahead = box.take_beat(place(10))  # read from the ledger, before the reader came so far
    assert ahead is not None
    assert ahead.cursor == place(10)


async def test_progress_that_newer_replaced_is_counted() -> None:
    def coalesced() -> float:
        return REGISTRY.get_sample_value("mediafleet_watch_coalesced_total") or 0.0

    box, before = Mailbox(), coalesced()
    for percent in (10, 20, 30):
        box.put_progress(progress(1, percent))
    box.put_progress(progress(1, 5, B))
    assert sorted(percents(box)) == [5, 30]
    box.put_progress(progress(1, 40))
    assert coalesced() == before + 2
