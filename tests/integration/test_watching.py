"""The watch contract, against a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.events import (
    Cursor,
    Deleted,
    Heartbeat,
    Message,
    ProgressMade,
    Resumed,
    Snapshot,
    StateChanged,
    WatchEvent,
)
from mediafleet_core.failures import FailureCode
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.ledger import LedgerSettings, RedisLedger, connect
from mediafleet_core.mailbox import Mailbox
from mediafleet_core.parts import Part
from mediafleet_core.ports import History, UploadFilter
from mediafleet_core.progress import WorkProgress
from mediafleet_core.uploads import State, UploadSpec
from mediafleet_core.watching import Watching
from tests.ledgers import ANN, BOB, LEASE, LIMITS, claimed, created, failed, ledger_at, outcome, queued

SOON, LONG = timedelta(milliseconds=20), timedelta(minutes=1)


@pytest.fixture
async def ledger(redis_url: str, redis_client: Redis) -> AsyncIterator[RedisLedger]:
    ledger = await connect(LedgerSettings(ledger_url=redis_url, events_kept=100))
    yield ledger
    await ledger.close()


@pytest.fixture
async def watching(ledger: RedisLedger) -> AsyncIterator[Watching]:
    async with Watching(ledger) as watching:
        yield watching


def watch(watching: Watching, upload_id: UploadId, after: Cursor | None = None) -> AsyncIterator[Message[WatchEvent]]:
    return watching.watch(upload_id, ANN, after=after, min_interval=timedelta())


def states(messages: list[Message[WatchEvent]]) -> list[State]:
    return [m.event.state for m in messages if isinstance(m.event, StateChanged)]


async def test_readers_that_lose_a_cancellation_end_nevertheless(ledger: RedisLedger) -> None:
    """As redis-py does, now and then, where it is cancelled while it sends (Python 3.11, gh-86296)."""

    class Losing:
        lost = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(ledger, name)

        async def progress(self) -> AsyncIterator[ProgressMade]:
            async for _ in self.tail():
                yield cast(ProgressMade, None)

        async def tail(self, *_: object) -> AsyncIterator[None]:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.lost += 1
                await asyncio.Event().wait()
            yield None

    losing = Losing()
    async with asyncio.timeout(20):
        async with Watching(cast(RedisLedger, losing)) as watching:
            upload = await created(ledger)
            async with aclosing(watching.watch(upload.upload_id, ANN, min_interval=SOON)) as messages:
                assert isinstance((await anext(messages)).event, Snapshot)
    assert losing.lost == 2


async def test_a_snapshot_then_every_change_then_the_end(ledger: RedisLedger, watching: Watching) -> None:
    upload = await queued(ledger)
    seen: list[Message[WatchEvent]] = []
    async for message in watch(watching, upload.upload_id):
        seen.append(message)
        if isinstance(message.event, Snapshot):
            claim = await claimed(ledger)
        elif isinstance(message.event, StateChanged) and message.event.state is State.PROCESSING:
            await ledger.renew(upload.upload_id, claim.fence, LEASE, WorkProgress(percent=60, stage="process"))
        elif isinstance(message.event, ProgressMade):
            assert message.event.progress.percent == 60
            await ledger.commit(upload.upload_id, claim.fence, outcome())
    assert isinstance(seen[0].event, Snapshot)
    assert states(seen) == [State.PROCESSING, State.SUCCEEDED]
    assert sum(isinstance(m.event, ProgressMade) for m in seen) == 1


async def test_a_watcher_is_told_of_the_bytes_that_the_record_has(ledger: RedisLedger, watching: Watching) -> None:
    upload = await created(ledger)
    async with aclosing(watching.watch(upload.upload_id, ANN, min_interval=SOON)) as messages:
        await anext(messages)
        session = await ledger.open_write(upload.upload_id, ANN, 0)
        part = Part(number=1, offset=0, size=400, crc32c=1, etag="e")
        await ledger.record_part(upload.upload_id, session.fence, part, limits=LIMITS)
        told = (await anext(messages)).event
    assert isinstance(told, ProgressMade)
    assert told.progress == (await ledger.get(upload.upload_id)).progress
    assert (told.progress.bytes_done, told.progress.bytes_total) == (400, 1000)
    assert watching.watchers == 0


async def test_a_late_watcher_gets_the_terminal_snapshot_and_the_end(ledger: RedisLedger, watching: Watching) -> None:
    upload = await created(ledger)
    await ledger.cancel(upload.upload_id, ANN, "")
    [message] = [message async for message in watch(watching, upload.upload_id)]
    assert isinstance(message.event, Snapshot)
    assert message.event.upload.state is State.CANCELLED


async def test_every_cursor_resumes_without_loss_or_repeat(ledger: RedisLedger, redis_url: str) -> None:
    upload = await queued(ledger)
    claim = await claimed(ledger)
    await ledger.commit(upload.upload_id, claim.fence, outcome())
    history = (await ledger.history(upload.upload_id)).entries
    async with ledger_at(redis_url) as other, Watching(other) as elsewhere:
        for position, (cursor, _) in enumerate(history):
            again = Cursor.decode(cursor.encode())
            assert again == cursor
            messages = [message async for message in watch(elsewhere, upload.upload_id, again)]
            assert isinstance(messages[0].event, Resumed)
            assert [m.cursor for m in messages[1:]] == [c for c, _ in history[position + 1 :]]


@pytest.mark.parametrize("kind", ["ahead", "other epoch", "trimmed", "trimmed to nothing"])
async def test_a_cursor_that_cannot_resume_gives_a_snapshot(
    ledger: RedisLedger, watching: Watching, redis_client: Redis, kind: str
) -> None:
    upload = await queued(ledger)
    old = await ledger.position()
    await ledger.cancel(upload.upload_id, ANN, "")
    place = await ledger.position()
    after = {
        "ahead": place._replace(milliseconds=place.milliseconds + 10**6),
        "other epoch": place._replace(epoch="ff"),
    }.get(kind, old)
    if after is old:
        await redis_client.xtrim("mf:events", maxlen=0 if kind == "trimmed to nothing" else 1, approximate=False)
    [message] = [message async for message in watch(watching, upload.upload_id, after)]
    assert isinstance(message.event, Snapshot)


async def test_a_deletion_is_the_last_message(ledger: RedisLedger, watching: Watching) -> None:
    upload = await queued(ledger)
    events = []
    async for message in watch(watching, upload.upload_id):
        events.append(type(message.event))
        if isinstance(message.event, Snapshot):
            await ledger.delete(upload.upload_id, ANN)
    assert events == [Snapshot, Deleted]
    with pytest.raises(MediafleetError) as caught:
        await anext(watch(watching, upload.upload_id))
    assert caught.value.reason is Reason.UPLOAD_NOT_FOUND


async def test_a_stranger_cannot_watch(ledger: RedisLedger, watching: Watching) -> None:
    upload = await queued(ledger)
    with pytest.raises(MediafleetError) as caught:
        await anext(watching.watch(upload.upload_id, BOB, min_interval=SOON))
    assert caught.value.reason is Reason.UPLOAD_NOT_FOUND


async def test_heartbeats_carry_the_cursor(ledger: RedisLedger) -> None:
    upload = await queued(ledger)
    async with (
        Watching(ledger, heartbeat=SOON) as watching,
        aclosing(watching.watch(upload.upload_id, ANN, min_interval=SOON)) as messages,
        aclosing(watching.watch(upload.upload_id, ANN, min_interval=SOON)) as beside,
    ):
        snapshot, beat, again = [await anext(messages) for _ in range(3)]
        assert (type(beat.event), type(again.event)) == (Heartbeat, Heartbeat)
        assert beat.cursor == snapshot.cursor == again.cursor
        # It moves on with the log, so that a quiet watch resumes from where the process has read to.
        await anext(beside)
        await created(ledger, tenant=BOB)
        position = await ledger.position()
        async for message in messages:
            assert isinstance(message.event, Heartbeat)
            if message.cursor == position:
                break


async def test_many_uploads_snapshots_then_the_tail_of_what_belongs(ledger: RedisLedger, watching: Watching) -> None:
    mine = await queued(ledger)
    await created(ledger, UploadSpec(display_name="b"), BOB)
    elsewhere = UploadSpec(display_name="c", collection="other")
    await created(ledger, elsewhere)
    which = UploadFilter(collection="trip")
    async with aclosing(watching.watch_many(ANN, which, min_interval=SOON)) as messages:
        first, beat = await anext(messages), await anext(messages)
        assert isinstance(first.event, Snapshot)
        assert (first.cursor, first.event.upload.upload_id) == (None, mine.upload_id)
        assert isinstance(beat.event, Heartbeat)
        await created(ledger, elsewhere)
        await ledger.cancel(mine.upload_id, ANN, "")
        change = await anext(messages)
    assert isinstance(change.event, StateChanged)
    assert (change.event.upload_id, change.event.state) == (mine.upload_id, State.CANCELLED)
    # Resuming from the heartbeat tells the same change, and only that.
    async with aclosing(watching.watch_many(ANN, which, after=beat.cursor, min_interval=SOON)) as messages:
        stands, again = await anext(messages), await anext(messages)
        assert (stands.cursor, type(stands.event), again.cursor) == (beat.cursor, Resumed, change.cursor)
        last = await created(ledger)
        told = await anext(messages)
    assert isinstance(told.event, StateChanged)
    assert told.event.upload_id == last.upload_id


async def test_failure_codes_choose_among_the_changes_of_many(ledger: RedisLedger, watching: Watching) -> None:
    which = UploadFilter(failure_codes=frozenset({FailureCode.TIMED_OUT}))
    async with aclosing(watching.watch_many(ANN, which, min_interval=SOON)) as messages:
        assert isinstance((await anext(messages)).event, Heartbeat)
        for code in (FailureCode.WORKER_CRASHED, FailureCode.TIMED_OUT):
            upload = await queued(ledger)
            claim = await claimed(ledger)
            await ledger.fail_attempt(upload.upload_id, claim.fence, failed(code, 1))
        change = (await anext(messages)).event
    assert isinstance(change, StateChanged)
    assert (change.upload_id, change.state) == (upload.upload_id, State.FAILED)


async def test_an_old_cursor_of_many_gets_snapshots(
    ledger: RedisLedger, watching: Watching, redis_client: Redis
) -> None:
    await created(ledger)
    old = await ledger.position()
    await created(ledger)
    await redis_client.xtrim("mf:events", maxlen=1)
    await redis_client.xtrim("mf:events", maxlen=0)
    await created(ledger)
    async with aclosing(watching.watch_many(ANN, UploadFilter(), after=old, min_interval=SOON)) as messages:
        events = [type((await anext(messages)).event) for _ in range(4)]
    assert events == [Snapshot, Snapshot, Snapshot, Heartbeat]


async def test_a_watcher_far_behind_gets_snapshots_instead_of_the_whole_log(ledger: RedisLedger) -> None:
    await created(ledger)
    old = await ledger.position()
    for _ in range(4):
        await created(ledger, tenant=BOB)
    mine = await created(ledger)
    async with (
        Watching(ledger, most_replayed=3) as watching,
        aclosing(watching.watch_many(ANN, UploadFilter(), after=old, min_interval=SOON)) as messages,
    ):
        stands, first, second, beat = [await anext(messages) for _ in range(4)]
    assert [type(message.event) for message in (stands, second, beat)] == [Resumed, Snapshot, Heartbeat]
    assert isinstance(first.event, Snapshot)
    assert first.event.upload.upload_id == mine.upload_id


async def test_a_gap_is_filled_from_the_ledger(ledger: RedisLedger, watching: Watching) -> None:
    upload = await queued(ledger)
    seen: list[Message[WatchEvent]] = []
    async for message in watch(watching, upload.upload_id):
        seen.append(message)
        if isinstance(message.event, Snapshot):
            claim = await claimed(ledger)
            for boxes in watching._reader._boxes.values():  # what a full mailbox does
                for box in boxes:
                    box.lose()
            await ledger.commit(upload.upload_id, claim.fence, outcome())
    assert states(seen) == [State.PROCESSING, State.SUCCEEDED]


class EndsMeanwhile:
    """A ledger whose upload ends after the watcher has subscribed, and before it reads the record."""

    def __init__(self, ledger: RedisLedger) -> None:
        self._ledger = ledger
        self.box: Callable[[UploadId], Mailbox]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def history(self, upload_id: UploadId, tenant: TenantId) -> History:
        await self._ledger.cancel(upload_id, tenant, "")
        await asyncio.wait_for(self.box(upload_id).wait(), 60)
        return await self._ledger.history(upload_id, tenant)


async def test_what_ends_before_its_snapshot_ends_the_watch(ledger: RedisLedger) -> None:
    upload = await created(ledger)
    ends = EndsMeanwhile(ledger)
    async with Watching(cast("RedisLedger", ends)) as watching:
        ends.box = lambda upload_id: next(iter(watching._reader._boxes["upload", upload_id]))
        seen = [message async for message in watch(watching, upload.upload_id)]
    (only,) = seen
    assert isinstance(only.event, Snapshot)
    assert only.event.upload.state is State.CANCELLED
