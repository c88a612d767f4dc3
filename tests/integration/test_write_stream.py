"""WriteUpload over a real socket: what a stream may say, and what becomes of its bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core.errors import Reason
from mediafleet_core.intake.crc32c import checksum
from tests.gateways import ANN, Reached, create, refused, send
from tests.intakes import some_bytes
from tests.waiting import eventually

PART = 1 << 16
FILE = some_bytes(3 * PART + 17)


def message(offset: int, content: bytes = b"", *, upload_id: str = "", finish: bool = False) -> pb.WriteUploadRequest:
    return pb.WriteUploadRequest(
        upload_id=upload_id, write_offset=offset, content=content, crc32c=checksum(content), finish_write=finish
    )


async def committed(reached: Reached, upload: pb.Upload) -> int:
    request = pb.QueryWriteStatusRequest(upload_id=upload.upload_id)
    return (await reached.uploads.QueryWriteStatus(request, metadata=ANN)).committed_size


async def test_a_half_closed_stream_answers_the_committed_size_and_can_be_continued(reached: Reached) -> None:
    upload = await create(reached, size_bytes=len(FILE))
    answer = await send(reached, message(0, FILE[:100_000], upload_id=upload.upload_id))
    assert (answer.committed_size, answer.upload.state) == (100_000, pb.UPLOAD_STATE_RECEIVING)
    rest = message(100_000, FILE[100_000:], upload_id=upload.upload_id, finish=True)
    answer = await send(reached, rest)
    assert (answer.committed_size, answer.upload.state) == (len(FILE), pb.UPLOAD_STATE_QUEUED)
    assert answer.upload.checksums.crc32c == checksum(FILE)


async def test_a_finished_upload_answers_ok_and_ignores_the_bytes(reached: Reached) -> None:
    upload = await create(reached)
    for _ in range(2):
        answer = await send(
            reached,
            message(0, FILE[:-1], upload_id=upload.upload_id),
            message(len(FILE) - 1, FILE[-1:], finish=True),
        )
        assert (answer.committed_size, answer.upload.state) == (len(FILE), pb.UPLOAD_STATE_QUEUED)


async def test_an_empty_message_keeps_the_stream_alive(reached: Reached) -> None:
    upload = await create(reached)
    answer = await send(
        reached,
        message(0, upload_id=upload.upload_id),
        message(0, b"ab"),
        pb.WriteUploadRequest(),
        message(2, b"c"),
        pb.WriteUploadRequest(finish_write=True),
    )
    assert answer.upload.size_bytes == 3


async def test_nothing_may_follow_the_finish_and_nothing_is_finished_then(reached: Reached) -> None:
    upload = await create(reached)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.WRITE_AFTER_FINISH):
        await send(reached, message(0, b"ab", upload_id=upload.upload_id, finish=True), message(2, b"c"))
    assert await committed(reached, upload) == 2
    get = pb.GetUploadRequest(upload_id=upload.upload_id)
    record = (await reached.uploads.GetUpload(get, metadata=ANN)).upload
    assert record.state == pb.UPLOAD_STATE_RECEIVING


async def test_a_stream_writes_to_one_upload(reached: Reached) -> None:
    upload, other = await create(reached), await create(reached)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest):
        await send(reached, message(0, b"ab"))
    with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest):
        await send(reached, message(0, b"ab", upload_id=upload.upload_id), message(2, b"cd", upload_id=other.upload_id))
    assert (await committed(reached, upload), await committed(reached, other)) == (2, 0)


async def test_the_bytes_before_a_broken_chunk_stay(reached: Reached) -> None:
    upload = await create(reached)
    broken = pb.WriteUploadRequest(write_offset=70_000, content=b"x", crc32c=1)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.CHUNK_CHECKSUM_MISMATCH):
        await send(reached, message(0, FILE[:70_000], upload_id=upload.upload_id), broken)
    assert await committed(reached, upload) == 70_000


async def test_a_client_that_never_half_closes_is_finished_all_the_same(reached: Reached) -> None:
    upload = await create(reached)
    call = reached.uploads.WriteUpload(metadata=ANN)
    await call.write(message(0, b"ab", upload_id=upload.upload_id, finish=True))
    assert (await call).upload.state == pb.UPLOAD_STATE_QUEUED


async def test_a_newer_stream_takes_over_from_an_idle_one(reached: Reached) -> None:
    upload = await create(reached)
    older = reached.uploads.WriteUpload(metadata=ANN)
    await older.write(message(0, FILE[:70_000], upload_id=upload.upload_id))

    async def first_part() -> bool:
        return await committed(reached, upload) == PART

    await eventually(first_part)
    answer = await send(reached, message(PART, FILE[PART:], upload_id=upload.upload_id, finish=True))
    assert answer.upload.state == pb.UPLOAD_STATE_QUEUED
    with refused(grpc.StatusCode.ABORTED, Reason.CONCURRENT_WRITER) as refusal:
        await older.write(message(70_000, bytes(2 * PART)))
        await older.done_writing()
        await older
    assert int(refusal.info.metadata["committedSize"]) == len(FILE)


@pytest.mark.parametrize("sent", [100, 100_000])
async def test_a_drain_keeps_the_bytes_and_ends_the_stream(reached: Reached, sent: int) -> None:
    upload = await create(reached)
    received = asyncio.Event()

    async def stream() -> AsyncIterator[pb.WriteUploadRequest]:
        yield message(0, FILE[:sent], upload_id=upload.upload_id)
        received.set()
        await asyncio.Event().wait()

    call = reached.uploads.WriteUpload(stream(), metadata=ANN)
    await received.wait()

    async def opened() -> bool:
        request = pb.GetUploadRequest(upload_id=upload.upload_id)
        return (await reached.uploads.GetUpload(request, metadata=ANN)).upload.revision > upload.revision

    await eventually(opened)
    await reached.gateway.drain()
    with refused(grpc.StatusCode.UNAVAILABLE, Reason.DRAINING, RetryInfo):
        await call
    assert await committed(reached, upload) == sent
    await reached.gateway.stop(timedelta(seconds=5))
