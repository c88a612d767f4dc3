"""The SDK sends large files straight to the storage with R2's rules."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from mediafleet import AsyncClient, FailedPrecondition, UploadProgress
from mediafleet.sending import DIRECT_SIZE
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core.ports import ObjectStore
from mediafleet_core.storage import open_store
from mediafleet_devserver.r2.faults import Fault, FaultKind
from mediafleet_devserver.r2.operations import Operation
from tests.directs import PART, Bucket, direct_settings
from tests.gateways import ANN, Reached, running, settings
from tests.intakes import some_bytes

TOKEN = dict(ANN)["authorization"].removeprefix("Bearer ")
PARTS = 6
FILE = some_bytes((PARTS - 1) * PART + 1000)
SENDING = frozenset({Operation.UPLOAD_PART})


@pytest.fixture
async def store(r2: Bucket) -> AsyncIterator[ObjectStore]:
    opened = open_store(r2.storage)
    yield opened
    await opened.close()


@pytest.fixture
async def reached(redis_url: str, redis_client: Redis, tmp_path: Path, r2: Bucket) -> AsyncIterator[Reached]:
    r2.plan()
    r2.asked.clear()
    async with running(direct_settings(redis_url, tmp_path, r2.storage)) as started:
        yield started


@pytest.fixture
async def client(reached: Reached) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(str(reached.gateway.address), token=TOKEN, timeout=20) as connected:
        yield connected


async def stored(store: ObjectStore, upload: pb.Upload) -> bytes:
    (found,) = [found async for found in store.list(f"uploads/ann/{upload.upload_id}/")]
    return b"".join([chunk async for chunk in store.read(found.key)])


async def test_parts_go_to_the_storage_and_progress_is_told(
    client: AsyncClient, store: ObjectStore, r2: Bucket
) -> None:
    told: list[UploadProgress] = []
    upload = await client.upload(FILE, display_name="film.bin", transfer="direct", progress=told.append)
    assert (upload.state, upload.transfer) == (pb.UPLOAD_STATE_QUEUED, pb.TRANSFER_DIRECT)
    assert await stored(store, upload) == FILE
    assert r2.asked[Operation.UPLOAD_PART] == PARTS
    percents = [progress.percent for progress in told]
    assert percents == sorted(percents)
    assert told[-1].bytes_sent == len(FILE)
    assert len({progress.bytes_sent for progress in told}) > PARTS


async def test_the_file_decides_the_way(client: AsyncClient, store: ObjectStore, r2: Bucket) -> None:
    small = await client.upload(FILE[: 3 * PART], display_name="small.bin")
    assert small.transfer == pb.TRANSFER_STREAM
    file = bytes(DIRECT_SIZE + 1)
    large = await client.upload(file, display_name="large.bin")
    assert large.transfer == pb.TRANSFER_DIRECT
    assert large.committed_size == len(file)


async def test_without_a_storage_that_signs_the_file_is_streamed(
    redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    async with (
        running(settings(redis_url, tmp_path)) as reached,
        AsyncClient(str(reached.gateway.address), token=TOKEN) as client,
    ):
        upload = await client.upload(bytes(DIRECT_SIZE + 1), display_name="large.bin")
        assert (upload.transfer, upload.committed_size) == (pb.TRANSFER_STREAM, DIRECT_SIZE + 1)
        with pytest.raises(FailedPrecondition, match="DIRECT_UNAVAILABLE"):
            await client.upload(FILE, display_name="film.bin", transfer="direct")


async def test_troubles_of_the_storage_are_borne(client: AsyncClient, store: ObjectStore, r2: Bucket) -> None:
    r2.plan(
        Fault(kind=FaultKind.ERROR, times=2, operations=SENDING),
        Fault(kind=FaultKind.RESET, times=2, operations=SENDING),
        Fault(kind=FaultKind.THROTTLE, times=1, operations=SENDING),
        Fault(kind=FaultKind.LOSE_ANSWER, times=1, operations=SENDING),
    )
    upload = await client.upload(FILE, display_name="film.bin", transfer="direct")
    assert await stored(store, upload) == FILE


CRASHING = """
import os, sys
from mediafleet import Client

address, token, path, enough = sys.argv[1:]

def crash(progress):
    if progress.upload.upload_id and progress.bytes_sent > int(enough):
        os._exit(9)

Client(address, token=token).upload(path, transfer="direct", request_id="film", progress=crash)
"""


async def test_another_process_goes_on_after_a_crash(
    client: AsyncClient, reached: Reached, store: ObjectStore, r2: Bucket, tmp_path: Path
) -> None:
    path = tmp_path / "film.bin"
    path.write_bytes(FILE)
    crashing = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CRASHING, str(reached.gateway.address), TOKEN, str(path), str(4 * PART + PART // 2)
    )
    assert await crashing.wait() == 9
    (begun,) = [upload async for upload in client.list()]
    request = pb.SignUploadPartsRequest(upload_id=begun.upload_id)
    durable = (await reached.uploads.SignUploadParts(request, metadata=ANN)).durable_parts
    assert durable
    r2.parts.clear()
    upload = await client.upload(path, transfer="direct", request_id="film")
    assert upload.upload_id == begun.upload_id
    assert await stored(store, upload) == FILE
    # What was on its way when the process died may arrive late; what was durable is not sent again.
    assert not {part.number for part in durable} & set(r2.parts)
    again = await client.upload(path, transfer="direct", request_id="film")
    assert again.upload_id == begun.upload_id


async def test_a_cancel_ends_it(client: AsyncClient, store: ObjectStore, r2: Bucket) -> None:
    cancels: set[asyncio.Task[pb.Upload]] = set()

    def cancel(progress: UploadProgress) -> None:
        if progress.bytes_sent > PART and not cancels:
            cancels.add(asyncio.create_task(client.cancel(progress.upload.upload_id)))

    r2.plan(Fault(kind=FaultKind.STALL, seconds=0.2, operations=SENDING))
    with pytest.raises(FailedPrecondition, match="UPLOAD_CANCELLED"):
        await client.upload(FILE, display_name="film.bin", transfer="direct", progress=cancel)
    cancelled = await cancels.pop()
    prefix = f"uploads/ann/{cancelled.upload_id}/"
    assert [found async for found in store.list_multiparts(prefix)] == []
    assert [found async for found in store.list(prefix)] == []


async def test_what_the_callback_raises_ends_the_call(client: AsyncClient) -> None:
    def refuse(progress: UploadProgress) -> None:
        if progress.bytes_sent:
            raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        await client.upload(FILE, display_name="film.bin", transfer="direct", progress=refuse)
