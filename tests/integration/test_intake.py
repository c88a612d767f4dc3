"""Bytes in: what stands in the ledger and in the storage after every way a stream can go."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.failures import FailureCode
from mediafleet_core.intake import IntakeSettings, Writer
from mediafleet_core.intake.crc32c import checksum
from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.parts import PARTS_IN_FLIGHT
from mediafleet_core.ports import Chunks, StoredObject, UploadedPart
from mediafleet_core.queue import DramatiqQueue, QueueSettings, open_broker
from mediafleet_core.quotas import Limits
from mediafleet_core.storage.links import LinkSigner
from mediafleet_core.storage.local import LocalStore
from mediafleet_core.uploads import Checksums, State, Upload, UploadSpec
from tests.intakes import ANN, LIMITS, PART, Site, site, some_bytes
from tests.waiting import eventually

FILE = some_bytes(2 * PART + 345)


@pytest.fixture
async def here(redis_url: str, redis_client: Redis, tmp_path: Path) -> AsyncIterator[Site]:
    async with site(redis_url, tmp_path / "bucket") as made:
        yield made


async def opened(here: Site, upload: Upload, offset: int = 0) -> Writer:
    return await here.intake.open(upload.upload_id, ANN, offset, limits=LIMITS)


async def refused(awaitable: Awaitable[object], reason: Reason) -> MediafleetError:
    with pytest.raises(MediafleetError) as caught:
        await awaitable
    assert caught.value.reason is reason
    return caught.value


async def committed(here: Site, upload: Upload) -> int:
    return (await here.intake.status(upload.upload_id, ANN)).committed_size


async def committed_to(here: Site, upload: Upload, size: int) -> None:
    async def so_far() -> bool:
        return await committed(here, upload) == size

    await eventually(so_far)


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 5 * PART, 7 * PART + 3])
@pytest.mark.parametrize("declared", [True, False])
async def test_a_file_of_any_size_arrives_whole(here: Site, size: int, declared: bool) -> None:
    content = some_bytes(size)
    upload = await here.created(size if declared else None)
    writer = await opened(here, upload)
    for offset in range(0, size, 300):
        await writer.write(offset, content[offset : offset + 300])
    finished = await writer.finish(Checksums(crc32c=checksum(content)))
    assert (finished.state, finished.size_bytes, finished.committed_size) == (State.QUEUED, size, size)
    assert finished.checksums.crc32c == checksum(content)
    assert await here.content(upload) == content
    assert await here.objects() == [finished.original_key]
    assert (await eventually(here.bells), await here.due()) == (1, 1)


async def test_all_parts_but_the_last_are_equal_and_in_order(here: Site) -> None:
    upload = await here.created()
    writer = await opened(here, upload)
    for offset in range(0, len(FILE), 70):
        await writer.write(offset, FILE[offset : offset + 70])
    assert await writer.suspend() == len(FILE)
    session = await here.ledger.open_write(upload.upload_id, ANN, 0)
    assert [(part.offset, part.size) for part in session.parts] == [(0, PART), (PART, PART)]
    assert session.tail is not None
    assert (session.tail.offset, session.tail.size) == (2 * PART, 345)


async def test_a_suspended_upload_goes_on_from_its_tail(here: Site) -> None:
    upload = await here.created(len(FILE))
    for start, stop in ((0, 400), (400, 700), (700, 1900), (1900, 2000)):
        writer = await opened(here, upload, start)
        await writer.write(start, FILE[start:stop])
        assert await writer.suspend() == stop == await committed(here, upload)
    writer = await opened(here, upload, 2000)
    await writer.write(2000, FILE[2000:])
    await writer.finish()
    await here.housekeeping()
    assert await here.content(upload) == FILE
    assert len(await here.objects()) == 1


async def test_abandoned_bytes_are_gone_but_recorded_parts_stay(here: Site) -> None:
    upload = await here.created()
    writer = await opened(here, upload)
    await writer.write(0, FILE[:1500])
    await committed_to(here, upload, PART)
    await writer.abandon()
    assert await committed(here, upload) == PART
    assert await here.due() == 0


async def test_a_chunk_in_the_wrong_place_or_shape_is_left_aside(here: Site) -> None:
    upload = await here.created(len(FILE))
    writer = await opened(here, upload)
    await writer.write(0, FILE[:100])
    gap = await refused(writer.write(101, b"x"), Reason.WRITE_OFFSET_AHEAD)
    assert gap.metadata["committedSize"] == "0"
    await refused(writer.write(100, FILE[100:200], checksum(b"other")), Reason.CHUNK_CHECKSUM_MISMATCH)
    await refused(writer.write(-1, b"x"), Reason.FIELD_INVALID)
    await refused(writer.write(100, bytes(2 * 1024 * 1024 + 1)), Reason.CHUNK_TOO_LARGE)
    await refused(writer.write(100, bytes(len(FILE))), Reason.OBJECT_SIZE_MISMATCH)
    await refused(writer.finish(), Reason.OBJECT_SIZE_MISMATCH)
    await writer.write(50, FILE[50:], checksum(FILE[50:]))
    await writer.finish()
    assert await here.content(upload) == FILE


async def test_opening_ahead_of_what_is_durable_takes_nothing_over(here: Site) -> None:
    upload = await here.created()
    writer = await opened(here, upload)
    await refused(opened(here, upload, 1), Reason.WRITE_OFFSET_AHEAD)
    await writer.write(0, FILE)
    await writer.finish()


async def test_finishing_short_leaves_the_upload_open(here: Site) -> None:
    upload = await here.created(len(FILE))
    writer = await opened(here, upload)
    await writer.write(0, FILE[:1200])
    await refused(writer.finish(), Reason.OBJECT_SIZE_MISMATCH)
    assert await writer.suspend() == 1200
    writer = await opened(here, upload, 1200)
    await writer.write(1200, FILE[1200:])
    assert (await writer.finish()).state is State.QUEUED


async def test_a_file_of_unknown_size_may_not_outgrow_its_kind(here: Site) -> None:
    upload = await here.created(None)
    few = Limits(max_upload_bytes=dict.fromkeys(LIMITS.max_upload_bytes, 1500))
    writer = await here.intake.open(upload.upload_id, ANN, 0, limits=few)
    await writer.write(0, FILE[:1400])
    await refused(writer.write(1400, FILE[1400:]), Reason.OBJECT_TOO_LARGE)


async def test_other_bytes_over_a_stored_part_or_tail_are_noticed(here: Site) -> None:
    upload = await here.created()
    writer = await opened(here, upload)
    await writer.write(0, FILE[:1500])
    await writer.suspend()
    for wrong in (bytes(PART), FILE[:PART] + bytes(500)):
        writer = await opened(here, upload)
        await refused(writer.write(0, wrong), Reason.OVERLAP_MISMATCH)
        await writer.abandon()
    writer = await opened(here, upload)
    await writer.write(0, FILE)
    await writer.finish()
    assert await here.content(upload) == FILE


@pytest.mark.parametrize("size", [300, len(FILE)])
@pytest.mark.parametrize("where", ["spec", "finish"])
async def test_a_wrong_object_checksum_fails_the_upload_and_leaves_nothing(here: Site, size: int, where: str) -> None:
    wrong = Checksums(crc32c=1)
    upload = await here.created(size, checksums=wrong if where == "spec" else Checksums())
    writer = await opened(here, upload)
    await writer.write(0, FILE[:size])
    await refused(writer.finish(wrong if where == "finish" else Checksums()), Reason.OBJECT_CHECKSUM_MISMATCH)
    failed = await here.ledger.get(upload.upload_id)
    assert failed.state is State.FAILED
    assert failed.failure is not None
    assert failed.failure.code is FailureCode.OBJECT_CHECKSUM_MISMATCH
    assert await here.objects() == []
    assert (await here.bells(), await here.due()) == (0, 0)
    await refused(opened(here, upload), Reason.UPLOAD_TERMINAL)


async def test_a_newer_writer_takes_over_and_the_older_changes_nothing(here: Site) -> None:
    upload = await here.created()
    older = await opened(here, upload)
    await older.write(0, FILE[:1500])
    await committed_to(here, upload, PART)
    newer = await opened(here, upload, PART)
    await older.write(1500, bytes(345))
    lost = await refused(older.finish(), Reason.CONCURRENT_WRITER)
    assert lost.metadata["committedSize"] == str(PART)
    await newer.write(PART, FILE[PART:])
    await newer.finish()
    await older.abandon()
    assert await here.content(upload) == FILE
    assert len(await here.objects()) == 1


async def test_a_small_file_of_a_superseded_writer_leaves_no_object(here: Site) -> None:
    upload = await here.created()
    older = await opened(here, upload)
    newer = await opened(here, upload)
    await older.write(0, b"older")
    await refused(older.finish(), Reason.CONCURRENT_WRITER)
    assert await here.objects() == []
    await newer.write(0, b"newer")
    await newer.finish()
    assert await here.content(upload) == b"newer"


async def test_a_finished_upload_ignores_more_bytes(here: Site) -> None:
    upload = await here.created()
    writer = await opened(here, upload)
    await writer.write(0, FILE)
    finished = await writer.finish()
    again = await opened(here, upload)
    await again.write(0, b"something else")
    assert await again.suspend() == len(FILE)
    assert (await again.finish()).state is State.QUEUED
    assert await here.content(finished) == FILE
    assert await eventually(here.bells) == 1


async def test_a_finish_ends_even_if_its_caller_is_cancelled(
    redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    store = GatedStore(tmp_path)
    async with site(redis_url, tmp_path, store=store) as here:
        upload = await here.created()
        writer = await opened(here, upload)
        store.gate.set()
        await writer.write(0, FILE)
        await committed_to(here, upload, 2 * PART)
        store.gate.clear()
        finishing = asyncio.create_task(writer.finish())
        await eventually(store.waiting(1))
        finishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await finishing
        await writer.abandon()
        assert (await here.ledger.get(upload.upload_id)).state is State.RECEIVING
        store.gate.set()
        await here.intake.settled()
        assert (await here.ledger.get(upload.upload_id)).state is State.QUEUED
        assert await here.content(upload) == FILE


async def test_a_complete_whose_answer_was_lost_is_found_again(here: Site) -> None:
    upload = await here.created(2 * PART)
    writer = await opened(here, upload)
    await writer.write(0, FILE[: 2 * PART])
    await writer.suspend()
    session = await here.ledger.open_write(upload.upload_id, ANN, 0)
    parts = [UploadedPart(part.number, part.etag, part.crc32c) for part in session.parts]
    await here.store.complete_multipart(session.multipart_key, session.multipart_id, parts)
    writer = await opened(here, upload, 2 * PART)
    assert (await writer.finish()).state is State.QUEUED
    assert await here.content(upload) == FILE[: 2 * PART]


async def test_parts_that_the_storage_dropped_fail_the_upload(here: Site) -> None:
    upload = await here.created()
    writer = await opened(here, upload)
    await writer.write(0, FILE)
    await writer.suspend()
    session = await here.ledger.open_write(upload.upload_id, ANN, 0)
    await here.store.abort_multipart(session.multipart_key, session.multipart_id)
    writer = await opened(here, upload, len(FILE))
    await refused(writer.finish(), Reason.ORIGINAL_MISSING)
    failed = await here.ledger.get(upload.upload_id)
    assert failed.failure is not None
    assert failed.failure.code is FailureCode.ORIGINAL_MISSING
    assert await here.objects() == []


@pytest.mark.parametrize("size", [2 * PART, len(FILE)])
async def test_a_writer_that_wakes_up_inside_complete_makes_the_object_of_its_successor(
    redis_url: str, redis_client: Redis, tmp_path: Path, size: int
) -> None:
    store = GatedStore(tmp_path)
    store.gate.set()
    async with site(redis_url, tmp_path, store=store) as here:
        upload = await here.created()
        old = await opened(here, upload)
        await old.write(0, FILE[:size])
        store.completes.clear()
        finishing = asyncio.create_task(old.finish())
        await eventually(store.completing)
        new = await opened(here, upload, size)
        await refused(new.write(size, b"more"), Reason.OBJECT_SIZE_MISMATCH)
        await new.abandon()
        new = await opened(here, upload, size)
        store.completes.set()
        finished = await new.finish()
        await refused(finishing, Reason.CONCURRENT_WRITER)
        assert (finished.state, finished.size_bytes) == (State.QUEUED, size)
        assert await here.content(upload) == FILE[:size]
        await here.housekeeping()
        assert await here.objects() == [finished.original_key]


@pytest.mark.parametrize(
    ("found", "reason"), [(None, Reason.ORIGINAL_MISSING), (b"other", Reason.STORED_OBJECT_CORRUPT)]
)
async def test_a_tail_that_the_storage_lost_fails_the_upload(here: Site, found: bytes | None, reason: Reason) -> None:
    upload = await here.created()
    writer = await opened(here, upload)
    await writer.write(0, b"bytes")
    await writer.suspend()
    (key,) = await here.objects()
    if found is None:
        await here.store.delete([key])
    else:
        await here.store.put(key, [found], crc32c=checksum(found))
    await refused(opened(here, upload, 5), reason)
    failed = await here.ledger.get(upload.upload_id)
    assert failed.failure is not None
    assert failed.failure.code.value == reason.value
    assert await here.objects() == []


async def test_a_cancel_stops_a_writer_and_sweeps_at_once(here: Site) -> None:
    upload = await here.created()
    writer = await opened(here, upload)
    await writer.write(0, FILE)
    await committed_to(here, upload, 2 * PART)
    assert (await here.lifecycle.cancel(upload.upload_id, ANN, "")).state is State.CANCELLED
    assert await here.objects() == []
    await refused(writer.finish(), Reason.UPLOAD_CANCELLED)
    await writer.abandon()
    assert await here.objects() == []


async def test_the_tail_of_a_cancelled_upload_is_not_kept(here: Site) -> None:
    upload = await here.created()
    writer = await opened(here, upload)
    await writer.write(0, FILE)
    await committed_to(here, upload, 2 * PART)
    await here.lifecycle.cancel(upload.upload_id, ANN, "")
    await refused(writer.suspend(), Reason.UPLOAD_CANCELLED)
    assert await here.objects() == []


async def test_a_deleted_upload_leaves_no_object(here: Site) -> None:
    upload = await here.intake.upload_file(ANN, UploadSpec(display_name="a.jpg"), FILE, limits=LIMITS)
    assert len(await here.objects()) == 1
    assert (await here.lifecycle.delete(upload.upload_id, ANN)).upload_id == upload.upload_id
    assert await here.objects() == []
    await refused(here.intake.status(upload.upload_id, ANN), Reason.UPLOAD_NOT_FOUND)


async def test_an_expired_upload_leaves_no_object(here: Site) -> None:
    upload = await here.created()
    writer = await opened(here, upload)
    await writer.write(0, FILE)
    await writer.suspend()
    assert len(await here.objects()) == 2
    await here.housekeeping()
    assert (await here.ledger.get(upload.upload_id)).state is State.EXPIRED
    assert await here.objects() == []
    await refused(opened(here, upload), Reason.UPLOAD_EXPIRED)


async def test_a_broker_that_is_away_does_not_hold_up_a_finish(
    redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    away = QueueSettings(broker_url="redis://127.0.0.1:1/1", broker_timeout=timedelta(seconds=1))
    async with site(redis_url, tmp_path, queue=DramatiqQueue(open_broker(away))) as here:
        upload = await here.created()
        writer = await opened(here, upload)
        await writer.write(0, b"x")
        assert (await writer.finish()).state is State.QUEUED
        assert await here.due() == 1


async def test_a_small_file_comes_in_one_call_and_may_be_repeated(here: Site) -> None:
    spec = UploadSpec(display_name="a.jpg", labels={"x": "1", "y": "2"})
    found = Checksums(crc32c=checksum(FILE), sha256=hashlib.sha256(FILE).hexdigest())

    async def sent(content: bytes, name: str = "a.jpg") -> Upload:
        named = UploadSpec(display_name=name, labels={"y": "2", "x": "1"})
        return await here.intake.upload_file(ANN, named, content, limits=LIMITS, request_id="one")

    upload = await here.intake.upload_file(ANN, spec, FILE, limits=LIMITS, checksums=found, request_id="one")
    assert upload.state is State.QUEUED
    assert upload.checksums == found
    assert (await sent(FILE)).upload_id == upload.upload_id
    await refused(sent(FILE[:-1]), Reason.REQUEST_ID_REUSED)
    await refused(sent(FILE, "b.jpg"), Reason.REQUEST_ID_REUSED)
    assert await eventually(here.bells) == 1


@pytest.mark.parametrize(
    ("content", "declared", "reason"),
    [
        (FILE, Checksums(sha256="00" * 32), Reason.OBJECT_CHECKSUM_MISMATCH),
        (FILE, Checksums(crc32c=1), Reason.OBJECT_CHECKSUM_MISMATCH),
        (bytes(3 * 1024 * 1024 + 1), Checksums(), Reason.OBJECT_TOO_LARGE),
        (FILE[:-1], Checksums(), Reason.OBJECT_SIZE_MISMATCH),
    ],
)
async def test_a_wrong_small_file_is_refused_before_anything_is_stored(
    here: Site, content: bytes, declared: Checksums, reason: Reason
) -> None:
    spec = UploadSpec(display_name="a.jpg", size_bytes=len(FILE))
    await refused(here.intake.upload_file(ANN, spec, content, limits=LIMITS, checksums=declared), reason)
    assert await here.objects() == []
    assert (await here.ledger.usage(ANN)).reserved_bytes == 0


async def test_fifty_equal_calls_at_several_gateways_make_one_upload(
    here: Site, redis_url: str, tmp_path: Path
) -> None:
    spec = UploadSpec(display_name="a.jpg")
    async with AsyncExitStack() as stack:
        others = [await stack.enter_async_context(site(redis_url, tmp_path / "bucket")) for _ in range(2)]
        uploads = await asyncio.gather(
            *(
                others[number % 2].intake.upload_file(ANN, spec, FILE, limits=LIMITS, request_id="one")
                for number in range(50)
            )
        )
    assert len({upload.upload_id for upload in uploads}) == 1
    assert {upload.state for upload in uploads} == {State.QUEUED}
    assert await here.content(uploads[0]) == FILE
    assert len(await here.objects()) == 1
    assert await here.due() == 1


async def test_a_small_file_goes_on_after_a_crash_between_create_and_finish(here: Site) -> None:
    spec = UploadSpec(display_name="a.jpg")
    sending = asyncio.create_task(here.intake.upload_file(ANN, spec, FILE, limits=LIMITS, request_id="one"))
    await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    upload = await here.intake.upload_file(ANN, spec, FILE, limits=LIMITS, request_id="one")
    assert upload.state is State.QUEUED
    assert await here.content(upload) == FILE


async def test_validation_stores_nothing(here: Site) -> None:
    spec = UploadSpec(display_name="a.jpg", size_bytes=5)
    preview = await here.intake.create(ANN, spec, limits=LIMITS, validate_only=True)
    assert (preview.upload_id, preview.size_bytes) == ("", 5)
    assert (await here.ledger.usage(ANN)).reserved_bytes == 0


async def test_creation_checks_size_and_type(here: Site) -> None:
    only_audio = Limits(allowed_types=("audio/*",))
    large = UploadSpec(display_name="a.jpg", size_bytes=1 << 40)
    await refused(here.intake.create(ANN, large, limits=LIMITS), Reason.OBJECT_TOO_LARGE)
    image = UploadSpec(display_name="a.jpg")
    await refused(here.intake.create(ANN, image, limits=only_audio), Reason.CONTENT_TYPE_NOT_ALLOWED)
    song = UploadSpec(display_name="a.mp3")
    assert (await here.intake.create(ANN, song, limits=only_audio)).state is State.RECEIVING


class GatedStore(LocalStore):
    """The real store behind a gate that holds parts back."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, LinkSigner("http://127.0.0.1:1", "0123456789abcdef"))
        self.gate = asyncio.Event()
        self.under_way = 0
        self.completes = asyncio.Event()
        self.completes.set()
        self.at_complete = False
        self.failure: Callable[[int], MediafleetError | None] = lambda number: None

    def waiting(self, parts: int) -> Callable[[], Coroutine[Any, Any, bool]]:
        """Whether so many parts are on their way."""

        async def so_many() -> bool:
            return self.under_way == parts

        return so_many

    async def completing(self) -> bool:
        """Whether a Complete is held back."""
        return self.at_complete

    async def complete_multipart(self, key: str, multipart_id: str, parts: Sequence[UploadedPart]) -> StoredObject:
        self.at_complete = True
        await self.completes.wait()
        return await super().complete_multipart(key, multipart_id, parts)

    async def put_part(self, key: str, multipart_id: str, number: int, body: Chunks, *, crc32c: int) -> str:
        self.under_way += 1
        try:
            await self.gate.wait()
            if error := self.failure(number):
                raise error
            return await super().put_part(key, multipart_id, number, body, crc32c=crc32c)
        finally:
            self.under_way -= 1


@pytest.mark.parametrize(("buffer", "parts"), [(100 * PART, PARTS_IN_FLIGHT), (0, 1)])
async def test_a_writer_waits_when_its_window_is_full(
    redis_url: str, redis_client: Redis, tmp_path: Path, buffer: int, parts: int
) -> None:
    store = GatedStore(tmp_path)
    few = IntakeSettings(part_bytes=PART, write_buffer_bytes=buffer)
    content = some_bytes(10 * PART)

    async def write_all() -> None:
        for offset in range(0, len(content), 500):
            await writer.write(offset, content[offset : offset + 500])

    async with site(redis_url, tmp_path, few, store) as here:
        upload = await here.created(len(content))
        writer = await opened(here, upload)
        writing = asyncio.create_task(write_all())

        await eventually(store.waiting(parts))
        for _ in range(100):
            await asyncio.sleep(0)
        assert (store.under_way, writing.done()) == (parts, False)
        store.gate.set()
        await writing
        await writer.finish()
        assert await here.content(upload) == content


async def test_parts_behind_a_failed_one_are_not_recorded(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    store = GatedStore(tmp_path)
    store.gate.set()
    away = MediafleetError(Reason.STORAGE_UNAVAILABLE, "away")
    store.failure = lambda number: away if number == 2 else None
    async with site(redis_url, tmp_path, store=store) as here:
        upload = await here.created(4 * PART)
        content = some_bytes(4 * PART)
        writer = await opened(here, upload)
        await writer.write(0, content)
        await refused(writer.finish(), Reason.STORAGE_UNAVAILABLE)
        await writer.abandon()
        assert await committed(here, upload) == PART
        store.failure = lambda number: None
        writer = await opened(here, upload, PART)
        await writer.write(PART, content[PART:])
        await writer.finish()
        assert await here.content(upload) == content


STREAMS = st.lists(
    st.tuples(
        st.integers(0, 6 * PART),  # how far back the stream begins, and how far it goes
        st.integers(0, 4 * PART),
        st.integers(1, 3 * PART),  # bytes per chunk
        st.sampled_from(["suspend", "abandon", "drop"]),
        st.integers(0, 2),  # which gateway
    ),
    max_size=6,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(size=st.integers(0, 8 * PART), declared=st.booleans(), streams=STREAMS)
async def test_any_split_overlap_interruption_and_resume_gives_the_same_object(
    redis_url: str, tmp_path: Path, size: int, declared: bool, streams: list[tuple[int, int, int, str, int]]
) -> None:
    content = some_bytes(size, seed=size)
    async with AsyncExitStack() as stack:
        gateways = [await stack.enter_async_context(site(redis_url, tmp_path / "bucket")) for _ in range(3)]
        here = gateways[0]
        upload = await here.created(size if declared else None)
        before = 0
        for back, length, chunk, end, gateway in [*streams, (size, size, 777, "finish", 1)]:
            durable = await committed(here, upload)
            assert durable >= before
            before = durable
            start = max(0, durable - back)
            stop = size if end == "finish" else min(size, durable + length)
            writer = await opened(gateways[gateway], upload, start)
            for offset in range(start, stop, chunk):
                piece = content[offset : min(stop, offset + chunk)]
                await writer.write(offset, piece, checksum(piece))
            if end == "suspend":
                # More, when a part of a dropped writer became durable just before this one took over.
                assert await writer.suspend() >= max(durable, stop)
            elif end == "abandon":
                await writer.abandon()
            elif end == "finish":
                await writer.finish(Checksums(crc32c=checksum(content)))
        assert await here.content(upload) == content
        await here.housekeeping()
        stored = [key for key in await here.objects() if key.startswith(UploadKeys(ANN, upload.upload_id).prefix)]
        assert len(stored) == 1
