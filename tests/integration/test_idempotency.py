"""Equal calls are one wish, at whichever gateways they arrive, and however many at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from redis.asyncio import Redis

from mediafleet.v1 import uploads_pb2 as pb
from tests.gateways import ANN, Reached, running, send, settings
from tests.intakes import some_bytes

PART = 1 << 16
CALLS = 50


@pytest.fixture
async def gateways(redis_url: str, redis_client: Redis, tmp_path: Path) -> AsyncIterator[list[Reached]]:
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                running(settings(redis_url, tmp_path / "objects", intake={"part_bytes": PART}))
            )
            for _ in range(3)
        ]


async def uploads_of(gateway: Reached) -> list[pb.Upload]:
    return list((await gateway.uploads.ListUploads(pb.ListUploadsRequest(), metadata=ANN)).uploads)


def files(folder: Path) -> int:
    return sum(1 for path in (folder / "objects" / "objects").rglob("*") if path.is_file())


async def test_fifty_equal_create_upload_are_one_upload(gateways: list[Reached]) -> None:
    request = pb.CreateUploadRequest(spec=pb.UploadSpec(display_name="a.bin", size_bytes=10), request_id="one")
    answers = await asyncio.gather(
        *(gateways[number % 3].uploads.CreateUpload(request, metadata=ANN) for number in range(CALLS))
    )
    (only,) = await uploads_of(gateways[0])
    assert {answer.upload.upload_id for answer in answers} == {only.upload_id}


@pytest.mark.parametrize("size", [10, 3 * PART])
async def test_fifty_equal_upload_file_are_one_upload(gateways: list[Reached], tmp_path: Path, size: int) -> None:
    request = pb.UploadFileRequest(spec=pb.UploadSpec(display_name="a.bin"), content=some_bytes(size), request_id="one")
    answers = await asyncio.gather(
        *(gateways[number % 3].uploads.UploadFile(request, metadata=ANN) for number in range(CALLS))
    )
    (only,) = await uploads_of(gateways[0])
    assert {answer.upload.upload_id for answer in answers} == {only.upload_id}
    assert {answer.upload.state for answer in answers} == {pb.UPLOAD_STATE_QUEUED}
    assert files(tmp_path) == 1


async def test_a_repeated_finish_answers_the_same(gateways: list[Reached]) -> None:
    content = some_bytes(3 * PART + 5)
    request = pb.CreateUploadRequest(spec=pb.UploadSpec(display_name="a.bin"))
    upload_id = (await gateways[0].uploads.CreateUpload(request, metadata=ANN)).upload.upload_id
    whole = pb.WriteUploadRequest(upload_id=upload_id, content=content, finish_write=True)
    end = pb.WriteUploadRequest(upload_id=upload_id, write_offset=len(content), finish_write=True)
    first = await send(gateways[0], whole)
    for gateway in gateways:
        for message in (whole, end):
            assert await send(gateway, message) == first
