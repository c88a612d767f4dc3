"""Direct uploads over real sockets, against the storage with R2's rules."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from grpc import StatusCode
from redis.asyncio import Redis

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.intake import IntakeSettings, NamedPart, PlannedPart
from mediafleet_core.intake.crc32c import checksum
from mediafleet_core.ports import ObjectStore, StoredObject, UploadedPart
from mediafleet_core.progress import RECEIVED_PERCENT
from mediafleet_core.storage import open_store
from mediafleet_core.storage.s3 import S3Store
from mediafleet_core.uploads import Checksums, State, Transfer
from mediafleet_devserver.r2.faults import Fault, FaultKind
from mediafleet_devserver.r2.operations import Operation
from tests.directs import PART, Bucket, complete, direct_settings, parts_of, piece, put, put_parts, sign
from tests.gateways import ANN, BOB, Reached, create, refused, running, send, settings
from tests.intakes import ANN as TENANT
from tests.intakes import LIMITS, site, some_bytes

FILE = some_bytes(2 * PART + 1000)
CRC32C = checksum(FILE)


@pytest.fixture
async def store(r2: Bucket) -> AsyncIterator[ObjectStore]:
    opened = open_store(r2.storage)
    yield opened
    await opened.close()


@pytest.fixture
async def reached(redis_url: str, redis_client: Redis, tmp_path: Path, r2: Bucket) -> AsyncIterator[Reached]:
    r2.plan()
    async with running(direct_settings(redis_url, tmp_path, r2.storage)) as started:
        yield started


async def begun(reached: Reached, size: int = len(FILE)) -> pb.Upload:
    return await create(reached, transfer=pb.TRANSFER_DIRECT, size_bytes=size, display_name="film.bin")


async def left(store: ObjectStore, upload: pb.Upload) -> list[str]:
    """Keys of objects and multiparts that are stored of an upload."""
    prefix = f"uploads/ann/{upload.upload_id}/"
    keys = [found.key async for found in store.list(prefix)]
    return keys + [found.key async for found in store.list_multiparts(prefix)]


async def waiting(redis: Redis) -> int:
    return int(await redis.zcard("mf:waiting:OTHER"))


async def test_a_file_sent_to_the_storage_is_an_upload_as_any_other(
    reached: Reached, store: ObjectStore, redis_client: Redis
) -> None:
    upload = await begun(reached)
    done = await put_parts(reached, upload, FILE)
    finished = await complete(reached, upload, done, crc32c=CRC32C, sha256=hashlib.sha256(FILE).digest())
    assert (finished.state, finished.committed_size) == (pb.UPLOAD_STATE_QUEUED, len(FILE))
    assert finished.checksums.crc32c == CRC32C
    (key,) = await left(store, upload)
    assert b"".join([chunk async for chunk in store.read(key)]) == FILE
    assert await waiting(redis_client) == 1
    assert await redis_client.hmget("mf:usage:ann", "size", "reserved") == [str(len(FILE)).encode(), b"0"]
    again = await complete(reached, upload, done)
    assert (again.upload_id, again.state) == (upload.upload_id, pb.UPLOAD_STATE_QUEUED)
    with refused(StatusCode.FAILED_PRECONDITION, Reason.UPLOAD_FINISHED):
        await sign(reached, upload)


async def test_urls_tell_their_end_and_are_bound(reached: Reached) -> None:
    upload = await begun(reached)
    signed = await sign(reached, upload, parts_of(FILE), expires_in=Duration(seconds=90))
    assert signed.part_size == PART
    for place in signed.parts:
        assert "X-Amz-Expires=90&" in place.url
        assert "X-Amz-SignedHeaders=content-length%3Bhost%3Bx-amz-checksum-crc32c" in place.url
        assert timedelta(0) < place.expire_time.ToDatetime(UTC) - datetime.now(UTC) <= timedelta(seconds=90)


async def test_the_storage_refuses_other_bytes(reached: Reached) -> None:
    upload = await begun(reached)
    signed = await sign(reached, upload, parts_of(FILE))
    first = piece(FILE, 1)
    other = checksum(first[:-1] + b"!").to_bytes(4, "big")
    assert (await put(signed.parts[0], first[:-1] + b"!")).code == "BadDigest"
    assert (await put(signed.parts[0], first + b"!", content_length=str(PART + 1))).code == "SignatureDoesNotMatch"
    assert (await put(signed.parts[0], first, x_amz_checksum_crc32c=other.hex())).status == 403
    assert (await put(signed.parts[1], first)).code == "BadDigest"
    assert not (await sign(reached, upload)).durable_parts


async def test_nothing_can_be_completed_before_it_is_signed(reached: Reached) -> None:
    upload = await begun(reached)
    with refused(StatusCode.FAILED_PRECONDITION, Reason.PART_MISMATCH):
        await complete(reached, upload, [])
    await sign(reached, upload)
    with refused(StatusCode.FAILED_PRECONDITION, Reason.PART_MISMATCH) as refusal:
        await complete(reached, upload, [])
    assert dict(refusal.info.metadata) == {"missing": "1,2,3"}


async def test_a_missing_part_is_named_and_can_follow(reached: Reached) -> None:
    upload = await begun(reached)
    done = await put_parts(reached, upload, FILE, [1, 3])
    unsent = pb.CompletedUploadPart(number=2, etag="none", crc32c=1)
    for named in (done, [done[0], unsent, done[1]]):
        with refused(StatusCode.FAILED_PRECONDITION, Reason.PART_MISMATCH) as refusal:
            await complete(reached, upload, named)
        assert dict(refusal.info.metadata) == {"missing": "2"}
    done[1:1] = await put_parts(reached, upload, FILE, [2])
    wrong = [done[0], pb.CompletedUploadPart(number=2, etag="e", crc32c=done[1].crc32c), done[2]]
    with refused(StatusCode.FAILED_PRECONDITION, Reason.PART_MISMATCH) as refusal:
        await complete(reached, upload, [*wrong, pb.CompletedUploadPart(number=4, etag="e", crc32c=1)])
    assert dict(refusal.info.metadata) == {"different": "2", "unexpected": "4"}
    assert (await complete(reached, upload, done)).state == pb.UPLOAD_STATE_QUEUED


async def test_what_was_begun_goes_on_from_what_is_durable(reached: Reached) -> None:
    upload = await begun(reached)
    query = pb.QueryWriteStatusRequest(upload_id=upload.upload_id)
    assert (await reached.uploads.QueryWriteStatus(query, metadata=ANN)).committed_size == 0
    (third,) = await put_parts(reached, upload, FILE, [3])
    assert (await reached.uploads.QueryWriteStatus(query, metadata=ANN)).committed_size == 0
    await put_parts(reached, upload, FILE, [1])
    status = await reached.uploads.QueryWriteStatus(query, metadata=ANN)
    assert status.committed_size == status.upload.committed_size == PART
    assert status.upload.progress.percent == pytest.approx(RECEIVED_PERCENT * PART / len(FILE), abs=0.1)
    asked = await sign(reached, upload)
    assert [(part.number, part.size) for part in asked.durable_parts] == [(1, PART), (3, 1000)]
    durable = [pb.CompletedUploadPart(number=part.number, etag=part.etag) for part in asked.durable_parts]
    assert durable[1].etag == third.etag.strip('"')
    (second,) = await put_parts(reached, upload, FILE, [2])
    crcs = {part.number: part.crc32c for part in parts_of(FILE)}
    for part in durable:
        part.crc32c = crcs[part.number]
    finished = await complete(reached, upload, [durable[0], second, durable[1]], crc32c=CRC32C)
    assert finished.state == pb.UPLOAD_STATE_QUEUED


async def test_first_signings_at_once_begin_one_multipart(reached: Reached, store: ObjectStore) -> None:
    upload = await begun(reached)
    answers = await asyncio.gather(*(sign(reached, upload, parts_of(FILE)) for _ in range(12)))
    assert len({answer.parts[0].url.partition("uploadId=")[2].partition("&")[0] for answer in answers}) == 1
    assert len(await left(store, upload)) == 1


async def test_completes_at_once_make_one_upload(reached: Reached, store: ObjectStore, redis_client: Redis) -> None:
    upload = await begun(reached)
    done = await put_parts(reached, upload, FILE)
    answers = await asyncio.gather(*(complete(reached, upload, done) for _ in range(4)))
    assert {(answer.upload_id, answer.state) for answer in answers} == {(upload.upload_id, pb.UPLOAD_STATE_QUEUED)}
    assert await waiting(redis_client) == 1
    assert len(await left(store, upload)) == 1


async def test_a_cancelled_upload_leaves_no_multipart(reached: Reached, store: ObjectStore) -> None:
    upload = await begun(reached)
    done = await put_parts(reached, upload, FILE, [1])
    (second,) = (await sign(reached, upload, parts_of(FILE)[1:2])).parts
    await reached.uploads.CancelUpload(pb.CancelUploadRequest(upload_id=upload.upload_id), metadata=ANN)
    assert await left(store, upload) == []
    assert (await put(second, piece(FILE, 2))).code == "NoSuchUpload"
    for call in (sign(reached, upload, parts_of(FILE)), complete(reached, upload, done)):
        with refused(StatusCode.FAILED_PRECONDITION, Reason.UPLOAD_CANCELLED):
            await call
    query = pb.QueryWriteStatusRequest(upload_id=upload.upload_id)
    status = await reached.uploads.QueryWriteStatus(query, metadata=ANN)
    assert status.upload.state == pb.UPLOAD_STATE_CANCELLED


async def test_other_bytes_than_declared_leave_nothing(reached: Reached, store: ObjectStore) -> None:
    upload = await begun(reached)
    done = await put_parts(reached, upload, FILE)
    with refused(StatusCode.INVALID_ARGUMENT, Reason.OBJECT_CHECKSUM_MISMATCH):
        await complete(reached, upload, done, crc32c=CRC32C ^ 1)
    read = await reached.uploads.GetUpload(pb.GetUploadRequest(upload_id=upload.upload_id), metadata=ANN)
    assert (read.upload.state, read.upload.failure.code) == (pb.UPLOAD_STATE_FAILED, "OBJECT_CHECKSUM_MISMATCH")
    assert await left(store, upload) == []


async def test_a_complete_whose_answer_was_lost_is_repeated_by_any_gateway(
    reached: Reached, r2: Bucket, redis_url: str, tmp_path: Path, store: ObjectStore
) -> None:
    upload = await begun(reached)
    done = await put_parts(reached, upload, FILE)
    completing = frozenset({Operation.COMPLETE_MULTIPART_UPLOAD})
    r2.plan(
        Fault(kind=FaultKind.LOSE_ANSWER, times=1, operations=completing),
        Fault(kind=FaultKind.UNAVAILABLE, operations=completing | {Operation.HEAD_OBJECT}),
    )
    with refused(StatusCode.UNAVAILABLE, Reason.STORAGE_UNAVAILABLE, RetryInfo):
        await complete(reached, upload, done)
    r2.plan()
    async with running(direct_settings(redis_url, tmp_path, r2.storage)) as other:
        # The client died as well: what it has to name is told once more, though the multipart is gone.
        told = (await sign(other, upload)).durable_parts
        named = [pb.CompletedUploadPart(number=part.number, etag=part.etag, crc32c=part.crc32c) for part in told]
        assert (await complete(other, upload, named, crc32c=CRC32C)).state == pb.UPLOAD_STATE_QUEUED
    assert len(await left(store, upload)) == 1


async def test_each_way_refuses_the_other(reached: Reached) -> None:
    direct, streamed = await begun(reached), await create(reached, size_bytes=3)
    for call in (sign(reached, streamed), complete(reached, streamed, [])):
        with refused(StatusCode.FAILED_PRECONDITION, Reason.TRANSFER_MISMATCH) as refusal:
            await call
        assert refusal.info.metadata["transfer"] == "STREAM"
    with refused(StatusCode.FAILED_PRECONDITION, Reason.TRANSFER_MISMATCH):
        await send(reached, pb.WriteUploadRequest(upload_id=direct.upload_id, content=b"abc"))
    with refused(StatusCode.NOT_FOUND, Reason.UPLOAD_NOT_FOUND):
        await sign(reached, direct, metadata=BOB)


async def test_wrong_requests_are_told_field_by_field(reached: Reached) -> None:
    for size in (None, 0):
        with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest) as refusal:
            await create(reached, transfer=pb.TRANSFER_DIRECT, size_bytes=size)
        assert refusal.fields == {"spec.size_bytes"}
    spec = pb.UploadSpec(display_name="a.bin", transfer=pb.TRANSFER_DIRECT)
    with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest) as refusal:
        await reached.uploads.UploadFile(pb.UploadFileRequest(spec=spec, content=b"abc"), metadata=ANN)
    assert refusal.fields == {"spec.transfer"}
    upload = await begun(reached)
    wrong = [
        pb.UploadPart(number=1, size=PART - 1, crc32c=1),
        pb.UploadPart(number=0, size=PART, crc32c=1),
        pb.UploadPart(number=4, size=PART, crc32c=1),
    ]
    with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest) as refusal:
        await sign(reached, upload, wrong)
    assert refusal.fields == {"parts[0].size", "parts[1].number", "parts[2].number"}
    with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest) as refusal:
        await sign(reached, upload, [pb.UploadPart(number=1, size=PART)], expires_in=Duration(seconds=86401))
    assert refusal.fields == {"parts[0].crc32c", "expires_in"}
    with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest) as refusal:
        await complete(reached, upload, [pb.CompletedUploadPart(number=number) for number in (2, 1)])
    assert refusal.fields == {"parts"}


async def test_a_storage_that_cannot_sign_says_so(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    async with running(settings(redis_url, tmp_path)) as reached:
        with refused(StatusCode.FAILED_PRECONDITION, Reason.DIRECT_UNAVAILABLE):
            await begun(reached)


async def test_direct_uploads_can_be_switched_off(
    redis_url: str, redis_client: Redis, tmp_path: Path, r2: Bucket
) -> None:
    off = settings(redis_url, tmp_path, intake={"direct_uploads": False})._replace(storage=r2.storage)
    async with running(off) as reached:
        with refused(StatusCode.FAILED_PRECONDITION, Reason.DIRECT_UNAVAILABLE):
            await begun(reached)


class Hasty(S3Store):
    """A store in which somebody sends a part once more, just before Complete."""

    async def complete_multipart(self, key: str, multipart_id: str, parts: Sequence[UploadedPart]) -> StoredObject:
        other = bytes(PART)
        await self.put_part(key, multipart_id, 1, [other], crc32c=checksum(other))
        return await super().complete_multipart(key, multipart_id, parts)


async def test_a_part_that_changes_after_it_was_compared_is_refused(
    redis_url: str, redis_client: Redis, tmp_path: Path, r2: Bucket
) -> None:
    store, settings = Hasty(r2.storage), IntakeSettings(direct_part_bytes=PART)
    async with site(redis_url, tmp_path, settings, store) as here:
        upload = await here.created(len(FILE), "film.bin", transfer=Transfer.DIRECT)
        plans = [PlannedPart(part.number, part.size, part.crc32c) for part in parts_of(FILE)]
        signed = await here.intake.direct.sign(upload.upload_id, TENANT, plans, timedelta(minutes=1))
        named = []
        for plan, made in zip(plans, signed.puts, strict=True):
            answer = await put(pb.SignedUploadPart(url=made.url, headers=made.headers), piece(FILE, plan.number))
            named.append(NamedPart(plan.number, answer.etag.strip('"'), plan.crc32c))
        with pytest.raises(MediafleetError) as caught:
            await here.intake.direct.complete(upload.upload_id, TENANT, named, Checksums(), limits=LIMITS)
        assert caught.value.reason is Reason.PART_MISMATCH
        assert (await here.ledger.get(upload.upload_id)).state is State.RECEIVING
        assert await here.due() == 0
