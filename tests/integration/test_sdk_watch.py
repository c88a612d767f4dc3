"""Watches by the SDK go on behind the cursor, and the synchronous client says the same as the asynchronous one."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import AsyncIterator, Iterator

import grpc
import pytest

from mediafleet import AsyncClient, Client, NotFound, UploadProgress
from mediafleet.v1.uploads_pb2 import (
    Heartbeat,
    Progress,
    StateChange,
    Upload,
    UploadDeleted,
    UploadEvent,
    UploadFilter,
    UploadState,
)
from tests.integration.scripted_gateway import STANDS, Refusal, ScriptedGateway, serving

Code = grpc.StatusCode
U = "u-1"
SNAPSHOT = UploadEvent(upload_id=U, cursor="1", snapshot=Upload(upload_id=U, display_name="x", size_bytes=10))
MOVED = UploadEvent(upload_id=U, progress=Progress(series=1, percent=50, stage="process"))
BEAT = UploadEvent(cursor="2", heartbeat=Heartbeat())
ENDED = UploadEvent(upload_id=U, cursor="3", state_changed=StateChange(state=UploadState.UPLOAD_STATE_FAILED))
DELETED = UploadEvent(upload_id=U, cursor="4", deleted=UploadDeleted())
LOST = Refusal(Code.UNAVAILABLE, "DRAINING", retry_after=0.01)


@pytest.fixture
async def gateway() -> ScriptedGateway:
    return ScriptedGateway()


@pytest.fixture
async def client(gateway: ScriptedGateway) -> AsyncIterator[AsyncClient]:
    async with serving(gateway) as address, AsyncClient(address, timeout=20) as client:
        yield client


@pytest.mark.parametrize(
    "lost", [LOST, Refusal(Code.UNAVAILABLE), Refusal(Code.INTERNAL), Refusal(Code.DEADLINE_EXCEEDED)], ids=str
)
async def test_goes_on_behind_the_cursor_unseen(gateway: ScriptedGateway, client: AsyncClient, lost: Refusal) -> None:
    gateway.streams.extend([[SNAPSHOT, MOVED, lost], [lost], [BEAT, lost], [ENDED]])
    assert [event async for event in client.watch(U)] == [SNAPSHOT, MOVED, ENDED]
    assert gateway.called("WatchUpload") == ["", "1", "1", "2"]


async def test_a_watch_that_stands_again_has_failed_no_more(
    gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mediafleet")
    often = 12  # so many failures in a row would be more than a second of patience bears
    again: list[UploadEvent | Refusal] = [STANDS, LOST]
    gateway.streams.extend([[SNAPSHOT, LOST], *[again] * often, [STANDS, ENDED]])
    async with serving(gateway) as address, AsyncClient(address, timeout=1) as client:
        assert [event async for event in client.watch(U)] == [SNAPSHOT, ENDED]
    told = [record.getMessage() for record in caplog.records if "goes on" in record.msg]
    assert len(told) == often + 1
    assert re.fullmatch(rf"the watch goes on at {address} after \d+\.\d{{3}} s", told[0])


@pytest.mark.parametrize("last", [ENDED, DELETED], ids=["terminal", "deleted"])
async def test_ends_after_the_last_event(gateway: ScriptedGateway, client: AsyncClient, last: UploadEvent) -> None:
    gateway.streams.append([SNAPSHOT, last, MOVED])
    assert [event async for event in client.watch(U)] == [SNAPSHOT, last]


async def test_ends_with_the_stream(gateway: ScriptedGateway, client: AsyncClient) -> None:
    gateway.streams.append([SNAPSHOT])
    assert [event async for event in client.watch(U)] == [SNAPSHOT]


async def test_resumes_from_a_cursor_kept_elsewhere(gateway: ScriptedGateway, client: AsyncClient) -> None:
    gateway.streams.append([ENDED])
    assert [event async for event in client.watch(U, after_cursor="2")] == [ENDED]
    assert gateway.called("WatchUpload") == ["2"]


async def test_what_does_not_pass_is_raised(gateway: ScriptedGateway, client: AsyncClient) -> None:
    gateway.streams.append([Refusal(Code.NOT_FOUND, "UPLOAD_NOT_FOUND")])
    with pytest.raises(NotFound):
        await anext(client.watch(U))


async def test_many_are_watched_with_heartbeats(gateway: ScriptedGateway, client: AsyncClient) -> None:
    gateway.streams.extend([[SNAPSHOT, BEAT, LOST], [ENDED]])
    assert [event async for event in client.watch_many(UploadFilter(collection="x"))] == [SNAPSHOT, BEAT, ENDED]
    assert gateway.called("WatchUpload") == ["", "2"]


async def test_wait_folds_changes_that_carry_no_upload(gateway: ScriptedGateway, client: AsyncClient) -> None:
    gateway.keep(U)
    gateway.streams.append([SNAPSHOT, MOVED, ENDED])
    seen: list[UploadProgress] = []
    upload = await client.wait(U, progress=seen.append)
    assert (upload.display_name, upload.state) == ("x", UploadState.UPLOAD_STATE_FAILED)
    assert [each.percent for each in seen] == [0, 50, 50]


async def test_wait_tells_of_a_deletion(gateway: ScriptedGateway, client: AsyncClient) -> None:
    gateway.keep(U)
    gateway.streams.append([SNAPSHOT, DELETED])
    with pytest.raises(NotFound):
        await client.wait(U)


async def test_list_goes_through_all_pages(gateway: ScriptedGateway, client: AsyncClient) -> None:
    for upload_id in ("a", "b", "c"):
        gateway.keep(upload_id)
    assert [upload.upload_id async for upload in client.list()] == ["a", "b", "c"]


@pytest.fixture
def far_gateway() -> Iterator[tuple[ScriptedGateway, str]]:
    """A peer on a thread of its own, for callers that block."""
    gateway, loop, address = ScriptedGateway(), asyncio.new_event_loop(), ""
    begun, end = threading.Event(), asyncio.Event()

    async def serve() -> None:
        nonlocal address
        async with serving(gateway) as address:
            begun.set()
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    begun.wait()
    yield gateway, address
    loop.call_soon_threadsafe(end.set)
    thread.join()
    loop.close()


def test_synchronous_client(far_gateway: tuple[ScriptedGateway, str]) -> None:
    gateway, address = far_gateway
    with Client(address, token=lambda: "fresh", timeout=20) as client:
        upload = client.upload(b"x" * 3_000_000, display_name="x")
        assert client.get(upload.upload_id) == upload
        assert [event.WhichOneof("event") for event in client.watch(upload.upload_id)][-1] == "state_changed"
        assert next(client.list()).upload_id == upload.upload_id
        assert client.usage().objects == 3
        with pytest.raises(NotFound):
            client.get("nobody")
    assert gateway.tokens == {"Bearer fresh"}
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.get("x")


def test_watch_that_is_left_early_is_ended(far_gateway: tuple[ScriptedGateway, str]) -> None:
    gateway, address = far_gateway
    gateway.streams.append([SNAPSHOT, MOVED, ENDED])
    with Client(address, timeout=20) as client:
        for event in client.watch(U):
            assert event == SNAPSHOT
            break


def test_callback_that_uses_its_own_client_is_told_so(far_gateway: tuple[ScriptedGateway, str]) -> None:
    _, address = far_gateway
    with Client(address, timeout=20) as client, pytest.raises(RuntimeError, match="callback"):
        client.upload(b"x", progress=lambda progress: client.get("x"))
