"""Uploads by the SDK arrive whole, whatever happens on the way."""

from __future__ import annotations

import asyncio
import fcntl
import io
import os
import random
import socket
import termios
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import pytest

from mediafleet import (
    AsyncClient,
    Client,
    ConcurrentWriter,
    DeadlineExceeded,
    Internal,
    Unavailable,
    UploadProgress,
    window,
)
from mediafleet.many import AT_ONCE
from mediafleet.progress import SENDING_PERCENT
from mediafleet.sending import CHUNK_SIZE
from mediafleet.sources import Readable
from mediafleet.streams import StreamSource
from mediafleet.v1.uploads_pb2 import UploadState
from mediafleet_devserver.redis_server import free_port
from tests.integration.scripted_gateway import Refusal, Relay, ScriptedGateway, serving
from tests.waiting import eventually

Code = grpc.StatusCode
LARGE = random.Random(1).randbytes(5 * CHUNK_SIZE + 12_345)


@pytest.fixture
async def gateway() -> ScriptedGateway:
    return ScriptedGateway()


@pytest.fixture
async def address(gateway: ScriptedGateway) -> AsyncIterator[str]:
    async with serving(gateway) as address:
        yield address


@pytest.fixture
async def client(address: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(address, token="t-1", timeout=20) as client:
        yield client


async def test_small_file_goes_in_one_call(gateway: ScriptedGateway, client: AsyncClient, tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"small")
    upload = await client.upload(file, collection="holiday", labels={"album": "summer"})
    assert upload.state == UploadState.UPLOAD_STATE_QUEUED
    assert (upload.display_name, upload.collection, dict(upload.labels)) == (
        "photo.jpg",
        "holiday",
        {"album": "summer"},
    )
    assert gateway.content[upload.upload_id] == b"small"
    assert [name for name, _, _ in gateway.calls] == ["UploadFile"]
    assert gateway.tokens == {"Bearer t-1"}


@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE])
async def test_every_size_arrives(gateway: ScriptedGateway, client: AsyncClient, size: int) -> None:
    upload = await client.upload(io.BytesIO(b"skipped" + LARGE[:size]), display_name="x")
    assert gateway.content[upload.upload_id] == b"skipped" + LARGE[:size]


async def test_file_object_is_read_from_where_it_stands(gateway: ScriptedGateway, client: AsyncClient) -> None:
    file = io.BytesIO(b"header" + LARGE)
    file.seek(6)
    upload = await client.upload(file, display_name="x")
    assert gateway.content[upload.upload_id] == LARGE


async def test_pipe_arrives(gateway: ScriptedGateway, client: AsyncClient) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"piped")
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        upload = await client.upload(pipe, display_name="x")
    assert gateway.content[upload.upload_id] == b"piped"


class Bare:
    """Has bytes, and nothing else of a file."""

    def __init__(self, content: bytes) -> None:
        self.read = io.BytesIO(content).read


async def test_whatever_can_be_read_arrives(gateway: ScriptedGateway, client: AsyncClient) -> None:
    bare: Any = Bare(LARGE)
    upload = await client.upload(bare, display_name="x")
    assert gateway.content[upload.upload_id] == LARGE


async def in_pieces(content: bytes, size: int) -> AsyncIterator[bytes]:
    for offset in range(0, len(content), size):
        yield content[offset : offset + size]


@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE, len(LARGE)])
async def test_async_iterator_arrives(gateway: ScriptedGateway, client: AsyncClient, size: int) -> None:
    upload = await client.upload(in_pieces(LARGE[:size], 100_000), display_name="x")
    assert gateway.content[upload.upload_id] == LARGE[:size]
    assert upload.size_bytes == size


async def test_what_comes_once_is_sent_again_from_the_committed_size(
    gateway: ScriptedGateway, client: AsyncClient
) -> None:
    gateway.refusals["WriteUpload"].extend(Refusal(Code.UNAVAILABLE, after=after) for after in (2, 0, 1))
    upload = await client.upload(in_pieces(LARGE, 70_000), display_name="x")
    assert gateway.content[upload.upload_id] == LARGE
    assert gateway.called("WriteUpload") == [number * CHUNK_SIZE for number in (0, 2, 2, 3)]


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of what comes once that were kept, after each read."""
    found: list[int] = []
    read = StreamSource.read

    def watched(source: StreamSource, offset: int, size: int) -> bytes:
        content = read(source, offset, size)
        found.append(source.held)
        return content

    monkeypatch.setattr(StreamSource, "read", watched)
    return found


async def test_little_of_what_comes_once_is_kept(
    gateway: ScriptedGateway, client: AsyncClient, held: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "PART", 2 * CHUNK_SIZE)
    content = LARGE * 3
    upload = await client.upload(in_pieces(content, 100_000), display_name="x")
    assert gateway.content[upload.upload_id] == content
    assert max(held) <= 4 * CHUNK_SIZE


async def test_nothing_is_kept_of_what_an_earlier_process_sent(
    gateway: ScriptedGateway, client: AsyncClient, held: list[int]
) -> None:
    gateway.refusals["WriteUpload"].append(Refusal(Code.ABORTED, "CONCURRENT_WRITER", after=5))
    with pytest.raises(ConcurrentWriter):
        await client.upload(in_pieces(LARGE, 100_000), display_name="x", request_id="r-1")
    held.clear()
    await client.upload(in_pieces(LARGE, 100_000), display_name="x", request_id="r-1")
    assert gateway.content["r-1"] == LARGE
    assert max(held) < 2 * CHUNK_SIZE


async def test_a_slow_source_is_not_the_gateways_fault(gateway: ScriptedGateway, address: str) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield LARGE
        await asyncio.sleep(1)  # longer than the client's patience
        yield b"end"

    async with AsyncClient(address, timeout=0.5) as client:
        upload = await client.upload(slow(), display_name="x")
    assert gateway.content[upload.upload_id] == LARGE + b"end"
    assert gateway.called("WriteUpload") == [0]


async def test_sources_that_wait_hold_nobody_up(gateway: ScriptedGateway, client: AsyncClient, tmp_path: Path) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    goes_on = asyncio.Event()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reading, writing = os.pipe()

    async def waiting() -> AsyncIterator[bytes]:
        yield b"begun, "
        await goes_on.wait()
        yield b"ended"

    with os.fdopen(reading, "rb") as pipe:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            sources: list[Readable] = [*(waiting() for _ in range(6)), pipe, fifo]
            slow = [group.create_task(client.upload(source)) for source in sources]
            try:
                upload = await client.upload(io.BytesIO(LARGE))
                assert gateway.content[upload.upload_id] == LARGE
                assert await asyncio.to_thread(os.getpid) == os.getpid()
                assert not any(task.done() for task in slow)
            finally:
                goes_on.set()
                for end in (writing, os.open(fifo, os.O_RDWR)):
                    os.write(end, b"begun, ended")
                    os.close(end)
    assert {bytes(gateway.content[task.result().upload_id]) for task in slow} == {b"begun, ended"}


@pytest.mark.parametrize("content", [b"few", LARGE])
async def test_an_upload_of_a_fifo_ends_at_once_when_it_is_cancelled(
    client: AsyncClient, tmp_path: Path, content: bytes
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    end = os.open(fifo, os.O_RDWR)

    async def all_is_read() -> bool:
        return fcntl.ioctl(end, termios.FIONREAD, bytes(4)) == bytes(4)

    rescue = threading.Timer(20, os.close, [end])  # who waits for the reader stops the whole process
    rescue.start()
    sending = asyncio.create_task(client.upload(fifo))
    await asyncio.to_thread(os.write, end, content)
    await eventually(all_is_read)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert rescue.is_alive(), "it ended with the source"
    rescue.cancel()
    os.close(end)


async def test_a_cancellation_is_not_lost_where_the_stream_ends_at_the_same_moment(client: AsyncClient) -> None:
    def end(progress: UploadProgress) -> None:
        if progress.bytes_sent:
            asyncio.get_running_loop().call_soon(sending.cancel)
            raise LookupError("enough")

    sending = asyncio.create_task(client.upload(LARGE, display_name="x", progress=end))
    with pytest.raises(asyncio.CancelledError):
        await sending


async def test_a_gateway_lost_while_the_source_waits_holds_up_nothing(gateway: ScriptedGateway, address: str) -> None:
    goes_on = asyncio.Event()
    relay = Relay()

    async def waiting() -> AsyncIterator[bytes]:
        yield LARGE
        await goes_on.wait()
        yield b"end"

    async def all_chunks_came() -> bool:
        return any(len(content) == 5 * CHUNK_SIZE for content in gateway.content.values())

    async def the_client_goes_on() -> bool:
        return bool(gateway.called("QueryWriteStatus"))

    async with relay.to(address) as near, AsyncClient(near, timeout=20) as client, asyncio.TaskGroup() as group:
        sending = group.create_task(client.upload(waiting(), display_name="x"))
        await eventually(all_chunks_came)
        relay.cut()
        await eventually(the_client_goes_on)
        goes_on.set()
    assert gateway.content[sending.result().upload_id] == LARGE + b"end"


async def test_a_source_that_fails_fails_the_upload(gateway: ScriptedGateway, client: AsyncClient) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield LARGE
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        await client.upload(broken(), display_name="x")


async def test_text_file_is_refused(client: AsyncClient) -> None:
    with pytest.raises(TypeError, match="binary"):
        await client.upload(io.StringIO("text"))  # type: ignore[arg-type]


async def test_a_token_from_a_file_may_end_in_a_line_end(gateway: ScriptedGateway) -> None:
    async with serving(gateway) as address, AsyncClient(address, token="abc\n") as client:
        await client.usage()
    assert gateway.tokens == {"Bearer abc"}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"targets": "127.0.0.1:1"}, "`targets` is a list"),
        ({"target": ["127.0.0.1:1"]}, "`target` is one"),
        ({"target": "127.0.0.1:1", "token": None}, "`token` is text"),
        ({"target": "127.0.0.1:1", "token": b"abc"}, "`token` is text"),
    ],
)
def test_a_client_made_of_something_else_says_so_at_once(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(TypeError, match=told):
        Client(**wrong)


@pytest.mark.parametrize("source", [None, 5, ["a.jpg"], (part for part in [b"a"])])
async def test_what_has_no_bytes_is_refused_with_what_has(client: AsyncClient, source: Any) -> None:
    with pytest.raises(TypeError, match="is no source; take a path, bytes"):
        await client.upload(source, display_name="x")


@pytest.mark.parametrize("item", ["text", 5, None])
async def test_an_iterable_of_anything_but_bytes_is_refused(
    gateway: ScriptedGateway, client: AsyncClient, item: Any
) -> None:
    async def items() -> AsyncIterator[Any]:
        yield item

    with pytest.raises(TypeError, match=f"yields bytes, not a {type(item).__name__}"):
        await client.upload(items(), display_name="x")
    assert not gateway.content


@pytest.mark.parametrize("buffering", [-1, 0])
async def test_a_pipe_that_does_not_wait_is_refused(
    gateway: ScriptedGateway, client: AsyncClient, buffering: int
) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with os.fdopen(reading, "rb", buffering=buffering) as pipe, os.fdopen(writing, "wb"):
        refused = await asyncio.gather(client.upload(pipe), return_exceptions=True)
    assert [(type(each), "blocking mode" in str(each)) for each in refused] == [(TypeError, True)]
    assert gateway.calls == []


async def test_file_that_shrinks_is_noticed(client: AsyncClient, tmp_path: Path) -> None:
    file = tmp_path / "growing.bin"
    file.write_bytes(LARGE)

    def shrink(progress: UploadProgress) -> None:
        if progress.bytes_sent:
            os.truncate(file, CHUNK_SIZE)

    with pytest.raises(ValueError, match="shorter"):
        await client.upload(file, progress=shrink)


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(Code.UNAVAILABLE, "DRAINING", after=2, retry_after=0.01),
        Refusal(Code.UNAVAILABLE, after=0),
        Refusal(Code.INTERNAL, after=3),
        Refusal(Code.INTERNAL, "INTERNAL", after=1),
        Refusal(Code.DEADLINE_EXCEEDED, after=4),
        Refusal(Code.RESOURCE_EXHAUSTED, "RATE_LIMITED", after=1, retry_after=0.01),
        Refusal(Code.INVALID_ARGUMENT, "CHUNK_CHECKSUM_MISMATCH", after=2),
    ],
    ids=lambda refusal: f"{refusal.code.name}-{refusal.reason}-{refusal.after}",
)
async def test_goes_on_from_the_committed_size(gateway: ScriptedGateway, client: AsyncClient, refusal: Refusal) -> None:
    gateway.refusals["WriteUpload"].append(refusal)
    upload = await client.upload(LARGE, display_name="x")
    assert gateway.content[upload.upload_id] == LARGE
    assert gateway.called("WriteUpload")[1:] == [refusal.after * CHUNK_SIZE]


async def test_answer_lost_after_the_finish(gateway: ScriptedGateway, client: AsyncClient) -> None:
    gateway.refusals["WriteUpload"].append(Refusal(Code.UNAVAILABLE, after=6))
    upload = await client.upload(LARGE, display_name="x")
    assert upload.state == UploadState.UPLOAD_STATE_QUEUED
    assert gateway.called("WriteUpload") == [0, len(LARGE)]


async def test_survives_a_wire_that_is_cut_again_and_again(gateway: ScriptedGateway, address: str) -> None:
    relay = Relay()
    cuts = 0

    def cut(progress: UploadProgress) -> None:
        nonlocal cuts
        if progress.bytes_sent > (cuts + 1) * CHUNK_SIZE and cuts < 3:
            cuts += 1
            relay.cut()

    async with relay.to(address) as near, AsyncClient(near, timeout=20) as client:
        upload = await client.upload(LARGE, display_name="x", progress=cut)
    assert gateway.content[upload.upload_id] == LARGE
    assert relay.connections > 3


async def test_waits_as_long_as_it_is_asked_to(gateway: ScriptedGateway, client: AsyncClient) -> None:
    gateway.refusals["UploadFile"].append(Refusal(Code.UNAVAILABLE, "LEDGER_UNAVAILABLE", retry_after=0.7))
    await client.upload(b"x")
    first, second = gateway.times("UploadFile")
    assert second - first >= 0.7
    assert len({request.request_id for request in gateway.called("UploadFile")}) == 1


async def test_own_late_stream_may_abort_the_new_one_once(gateway: ScriptedGateway, client: AsyncClient) -> None:
    aborted = Refusal(Code.ABORTED, "CONCURRENT_WRITER", after=1)
    gateway.refusals["WriteUpload"].extend([Refusal(Code.UNAVAILABLE, after=1), aborted])
    upload = await client.upload(LARGE, display_name="x")
    assert gateway.content[upload.upload_id] == LARGE


async def test_another_writer_wins(gateway: ScriptedGateway, client: AsyncClient) -> None:
    gateway.refusals["WriteUpload"].append(Refusal(Code.ABORTED, "CONCURRENT_WRITER", after=1))
    with pytest.raises(ConcurrentWriter):
        await client.upload(LARGE, display_name="x")


async def test_request_id_goes_on_where_another_process_stopped(gateway: ScriptedGateway, client: AsyncClient) -> None:
    gateway.refusals["WriteUpload"].append(Refusal(Code.ABORTED, "CONCURRENT_WRITER", after=3))
    with pytest.raises(ConcurrentWriter):
        await client.upload(LARGE, display_name="x", request_id="r-1")
    await client.upload(LARGE, display_name="x", request_id="r-1")
    assert gateway.called("WriteUpload") == [0, 3 * CHUNK_SIZE]
    assert gateway.content["r-1"] == LARGE


async def test_next_target_takes_over(gateway: ScriptedGateway, address: str) -> None:
    async with AsyncClient(targets=[f"127.0.0.1:{free_port()}", address], timeout=20) as client:
        upload = await client.upload(LARGE, display_name="x")
    assert gateway.content[upload.upload_id] == LARGE


@pytest.mark.parametrize("content", [b"small", LARGE])
async def test_next_target_takes_over_from_one_that_hangs(
    gateway: ScriptedGateway, address: str, content: bytes
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        targets = ["{}:{}".format(*hanging.getsockname()), address]
        async with AsyncClient(targets=targets, timeout=1.0) as client:
            upload = await client.upload(content, display_name="x")
            assert client.target == address
    assert gateway.content[upload.upload_id] == content


async def test_next_target_is_not_kept_waiting_for_the_one_that_drains(gateway: ScriptedGateway, address: str) -> None:
    draining = ScriptedGateway()
    draining.refusals["GetUpload"].append(Refusal(Code.UNAVAILABLE, "DRAINING", retry_after=3600))
    async with serving(draining) as other, AsyncClient(targets=[other, address], timeout=20) as client:
        kept = gateway.keep("u-1")
        assert await client.get("u-1") == kept


async def test_gives_up_when_nothing_moves(gateway: ScriptedGateway, address: str) -> None:
    gateway.refusals["WriteUpload"].extend([Refusal(Code.UNAVAILABLE)] * 100)
    async with AsyncClient(address, timeout=0.5) as client:
        with pytest.raises(Unavailable):
            await client.upload(LARGE, display_name="x")


async def test_a_fault_of_the_gateway_is_not_tried_for_ever(gateway: ScriptedGateway, client: AsyncClient) -> None:
    gateway.refusals["GetUpload"].extend([Refusal(Code.INTERNAL, "INTERNAL")] * 100)
    with pytest.raises(Internal):
        await client.get("u-1")
    assert len(gateway.called("GetUpload")) == 4


async def test_total_time_is_bounded(gateway: ScriptedGateway, client: AsyncClient) -> None:
    gateway.refusals["WriteUpload"].extend([Refusal(Code.UNAVAILABLE)] * 100)
    with pytest.raises(DeadlineExceeded, match=r"0\.3 seconds"):
        await client.upload(LARGE, display_name="x", timeout=0.3)


async def test_retry_is_made_again_only_if_the_gateway_asks_for_it_or_its_series_is_named(
    gateway: ScriptedGateway, client: AsyncClient
) -> None:
    gateway.keep("u-1")
    gateway.refusals["RetryUpload"].append(Refusal(Code.UNAVAILABLE))
    with pytest.raises(Unavailable):
        await client.retry("u-1")
    gateway.refusals["RetryUpload"].append(Refusal(Code.UNAVAILABLE, "DRAINING", retry_after=0.01))
    assert (await client.retry("u-1")).upload_id == "u-1"
    gateway.refusals["RetryUpload"].append(Refusal(Code.UNAVAILABLE))
    assert (await client.retry("u-1", series=1)).upload_id == "u-1"
    assert [request.series for request in gateway.called("RetryUpload")] == [0, 0, 0, 1, 1]


async def test_progress_covers_both_legs_and_never_falls(gateway: ScriptedGateway, client: AsyncClient) -> None:
    gateway.refusals["WriteUpload"].append(Refusal(Code.UNAVAILABLE, after=2))
    seen: list[UploadProgress] = []
    upload = await client.upload(LARGE, display_name="x", wait=True, progress=seen.append)
    assert upload.state == UploadState.UPLOAD_STATE_SUCCEEDED
    percents = [each.percent for each in seen]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert max(percents[:-1]) < 100
    assert seen[-1].bytes_sent == seen[-1].bytes_total == len(LARGE)
    assert {"RECEIVING", "QUEUED", "SUCCEEDED"} <= {each.state for each in seen}


async def test_bytes_that_are_sent_again_are_counted(gateway: ScriptedGateway, client: AsyncClient) -> None:
    gateway.refusals["WriteUpload"].append(Refusal(Code.UNAVAILABLE, after=2))
    seen: list[UploadProgress] = []
    await client.upload(LARGE, display_name="x", progress=seen.append)
    drops = [max(0, before.bytes_sent - after.bytes_sent) for before, after in pairwise(seen)]
    assert seen[-1].bytes_resent == sum(drops)


async def test_many_files_go_five_at_a_time_and_fail_alone(
    gateway: ScriptedGateway, client: AsyncClient, tmp_path: Path
) -> None:
    files = [tmp_path / f"{number}.bin" for number in range(12)]
    for file in files[1:]:
        file.write_bytes(file.name.encode())
    on_their_way: set[int] = set()
    most = 0

    def progress(place: int, progress: UploadProgress) -> None:
        nonlocal most
        on_their_way.add(place)
        most = max(most, len(on_their_way))

    outcomes = []
    async for outcome in client.upload_many(files, progress=progress, wait=True):
        on_their_way.discard(outcome.place)
        outcomes.append(outcome)
    assert sorted(outcome.place for outcome in outcomes) == list(range(12))
    assert most <= AT_ONCE
    for place, source, upload, error in outcomes:
        assert source is files[place]
        assert isinstance(error, FileNotFoundError) == (place == 0) == (upload is None)


def test_many_files_go_with_the_synchronous_client_too() -> None:
    async def serve() -> None:
        gateway = ScriptedGateway()
        async with serving(gateway) as address:
            await asyncio.to_thread(send, address)
        assert sorted(bytes(content) for content in gateway.content.values()) == [b"one", b"two"]

    def send(address: str) -> None:
        with Client(address) as client:
            assert {outcome.place for outcome in client.upload_many([b"one", b"two"])} == {0, 1}

    asyncio.run(serve())


async def test_a_later_process_goes_on_with_the_same_file(
    gateway: ScriptedGateway, client: AsyncClient, tmp_path: Path
) -> None:
    file = tmp_path / "film.bin"
    file.write_bytes(LARGE)
    gateway.refusals["WriteUpload"].append(Refusal(Code.ABORTED, "CONCURRENT_WRITER", after=3))
    with pytest.raises(ConcurrentWriter):
        await client.upload(file, resume=True)
    first = await client.upload(file, resume=True)
    assert gateway.called("WriteUpload") == [0, 3 * CHUNK_SIZE]
    assert (await client.upload(file, resume=True)).upload_id == first.upload_id
    assert (await client.upload(file, resume=True, caption="other")).upload_id != first.upload_id

    gateway.uploads[first.upload_id].state = UploadState.UPLOAD_STATE_FAILED
    second = await client.upload(file, resume=True)
    assert second.upload_id != first.upload_id
    assert gateway.content[second.upload_id] == LARGE

    status = file.stat()
    file.write_bytes(LARGE[::-1])
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    third = await client.upload(file, resume=True)
    assert gateway.content[third.upload_id] == LARGE[::-1]


async def test_a_file_that_is_sent_anew_begins_at_0_percent(
    gateway: ScriptedGateway, client: AsyncClient, tmp_path: Path
) -> None:
    file = tmp_path / "film.bin"
    file.write_bytes(LARGE)
    lost = gateway.uploads[(await client.upload(file, resume=True)).upload_id]
    lost.state, lost.progress.percent = UploadState.UPLOAD_STATE_FAILED, 100
    told: list[UploadProgress] = []
    anew = await client.upload(file, resume=True, progress=told.append)
    own = [progress for progress in told if progress.upload.upload_id == anew.upload_id]
    assert (own[0].percent, own[0].bytes_sent) == (0, 0)
    assert (own[-1].percent, own[-1].bytes_sent) == (SENDING_PERCENT, len(LARGE))
    assert [progress.bytes_resent for progress in own] == [0] * len(own)


async def test_only_a_path_can_be_resumed(client: AsyncClient) -> None:
    with pytest.raises(TypeError, match="path"):
        await client.upload(b"x", resume=True)


async def test_cancelling_the_task_ends_the_stream(gateway: ScriptedGateway, client: AsyncClient) -> None:
    def stop(progress: UploadProgress) -> None:
        if progress.bytes_sent:
            task.cancel()

    task = asyncio.create_task(client.upload(LARGE, display_name="x", progress=stop))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert all(upload.state == UploadState.UPLOAD_STATE_RECEIVING for upload in gateway.uploads.values())
