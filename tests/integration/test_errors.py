"""Every error of the contract, provoked over a real socket: code, reason, details, and no exception text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest, QuotaFailure, RetryInfo
from grpc import StatusCode
from redis.asyncio import Redis

from mediafleet.v1 import fleet_pb2, usage_pb2
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.fleet_pb2_grpc import FleetServiceStub
from mediafleet_core.errors import Reason
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.ledger import LedgerSettings, RedisLedger
from mediafleet_core.ledger.connection import Connection
from mediafleet_core.uploads import Upload
from mediafleet_devserver.redis_server import redis_server
from mediafleet_gateway.statuses import CODES
from tests.gateways import ANN, BOB, Metadata, Reached, bearer, create, refused, running, send, settings, upload
from tests.ledgers import claimed, ledger_at, outcome
from tests.pages import key, page

UNKNOWN_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
STRICT = bearer("strict")
PART = 1 << 16
MIB = 1 << 20


def chunk(upload_id: str, offset: int, content: bytes, **more: Any) -> pb.WriteUploadRequest:
    """One message of a write stream."""
    return pb.WriteUploadRequest(upload_id=upload_id, write_offset=offset, content=content, **more)


async def committed(reached: Reached, upload_id: str) -> int:
    """Bytes that are durable."""
    request = pb.QueryWriteStatusRequest(upload_id=upload_id)
    return (await reached.uploads.QueryWriteStatus(request, metadata=ANN)).committed_size


def files(tmp_path: Path) -> Sequence[Path]:
    """Stored objects."""
    return [path for path in (tmp_path / "objects" / "objects").rglob("*") if path.is_file()]


def test_every_reason_has_a_status() -> None:
    assert set(CODES) == set(Reason)


# --- Fields ---------------------------------------------------------------------------------------------------------

BAD_SPECS = {
    "spec.display_name": pb.UploadSpec(display_name=""),
    "spec.content_type": pb.UploadSpec(display_name="a", content_type="no type"),
    "spec.size_bytes": pb.UploadSpec(display_name="a", size_bytes=-1),
    "spec.checksums.sha256": pb.UploadSpec(display_name="a", checksums=pb.Checksums(sha256=b"short")),
    "spec.collection": pb.UploadSpec(display_name="a", collection="../other"),
    "spec.caption": pb.UploadSpec(display_name="a", caption="x" * 2001),
    "spec.labels": pb.UploadSpec(display_name="a", labels={"Not A Label": "x"}),
    "spec.batch_id": pb.UploadSpec(display_name="a", batch_id="mine"),
    "spec.processing": pb.UploadSpec(
        display_name="a", processing=pb.Processing(preset="p", steps=[pb.ProcessingStep(name="s")])
    ),
    "spec.processing.preset": pb.UploadSpec(display_name="a", processing=pb.Processing(preset="sepia")),
    "spec.processing.steps[0].name": pb.UploadSpec(
        display_name="a", processing=pb.Processing(steps=[pb.ProcessingStep(name="rotate")])
    ),
    "spec.transfer": pb.UploadSpec(display_name="a", transfer=99),  # type: ignore[arg-type]
    "spec.priority": pb.UploadSpec(display_name="a", priority=99),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("field", BAD_SPECS)
async def test_a_bad_field_of_a_spec_is_named(reached: Reached, field: str) -> None:
    with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest) as refusal:
        await reached.uploads.CreateUpload(pb.CreateUploadRequest(spec=BAD_SPECS[field]), metadata=ANN)
    assert refusal.fields == {field}


@pytest.mark.parametrize("name", ["a/b", "a\\b", "..", "a\0b", "a\nb", "x" * 256])
async def test_a_display_name_is_a_plain_file_name(reached: Reached, name: str) -> None:
    with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest) as refusal:
        await create(reached, display_name=name)
    assert refusal.fields == {"spec.display_name"}


async def test_all_bad_fields_are_told_at_once(reached: Reached) -> None:
    with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest) as refusal:
        await create(reached, display_name="", size_bytes=-1, collection="A B")
    assert refusal.fields == {"spec.display_name", "spec.size_bytes", "spec.collection"}


async def test_bad_fields_of_other_requests_are_named(reached: Reached) -> None:
    uploads = reached.uploads
    upload_id = UNKNOWN_ID
    late = Timestamp(seconds=2)
    backwards = pb.TimeRange(start_time=late, end_time=Timestamp(seconds=1))
    year_zero = pb.TimeRange(start_time=Timestamp(seconds=-1 << 60))
    cases: list[tuple[str, Any, Any]] = [
        ("upload_id", uploads.GetUpload, pb.GetUploadRequest(upload_id="../../etc")),
        ("upload_id", uploads.QueryWriteStatus, pb.QueryWriteStatusRequest()),
        ("page_size", uploads.ListUploads, pb.ListUploadsRequest(page_size=-1)),
        ("page_token", uploads.ListUploads, pb.ListUploadsRequest(page_token="%%%")),
        ("page_token", uploads.ListUploads, pb.ListUploadsRequest(page_token="Zm9yZWlnbg==")),
        ("order_by", uploads.ListUploads, pb.ListUploadsRequest(order_by="size")),
        ("filter.states", uploads.ListUploads, pb.ListUploadsRequest(filter=pb.UploadFilter(states=[77]))),  # type: ignore[list-item]
        ("filter.kinds", uploads.ListUploads, pb.ListUploadsRequest(filter=pb.UploadFilter(kinds=[0]))),  # type: ignore[list-item]
        (
            "filter.failure_codes",
            uploads.ListUploads,
            pb.ListUploadsRequest(filter=pb.UploadFilter(failure_codes=["TIMED_OUT", "NO_SUCH_CODE"])),
        ),
        ("series", uploads.RetryUpload, pb.RetryUploadRequest(upload_id=UNKNOWN_ID, series=-1)),
        (
            "filter.create_time_range",
            uploads.ListUploads,
            pb.ListUploadsRequest(filter=pb.UploadFilter(create_time_range=backwards)),
        ),
        (
            "filter.create_time_range.start_time",
            uploads.ListUploads,
            pb.ListUploadsRequest(filter=pb.UploadFilter(create_time_range=year_zero)),
        ),
        (
            "update_mask",
            uploads.UpdateUpload,
            pb.UpdateUploadRequest(upload_id=upload_id, update_mask=FieldMask(paths=["state"])),
        ),
        ("reason", uploads.CancelUpload, pb.CancelUploadRequest(upload_id=upload_id, reason="x" * 501)),
        (
            "expires_in",
            uploads.CreateDownloadUrl,
            pb.CreateDownloadUrlRequest(upload_id=upload_id, expires_in=Duration(seconds=86_401)),
        ),
        (
            "expires_in",
            uploads.CreateDownloadUrl,
            pb.CreateDownloadUrlRequest(upload_id=upload_id, expires_in=Duration()),
        ),
        ("collection", reached.usage.GetUsage, usage_pb2.GetUsageRequest(scope=usage_pb2.USAGE_SCOPE_COLLECTION)),
        ("scope", reached.usage.GetUsage, usage_pb2.GetUsageRequest(scope=9)),  # type: ignore[arg-type]
        (
            "request_id",
            uploads.CreateUpload,
            pb.CreateUploadRequest(spec=pb.UploadSpec(display_name="a"), request_id="\n"),
        ),
    ]
    for field, call, request in cases:
        with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest) as refusal:
            await call(request, metadata=ANN)
        assert refusal.fields == {field}
    with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest) as refusal:
        request = pb.WatchUploadRequest(upload_id=upload_id, min_interval=Duration(seconds=-1))
        await reached.uploads.WatchUpload(request, metadata=ANN).read()
    assert refusal.fields == {"min_interval"}


async def test_bytes_that_are_no_message_are_refused(reached: Reached) -> None:
    for path in ("GetUpload", "CreateUpload"):
        call: Any = reached.channel.unary_unary(f"/mediafleet.v1.UploadService/{path}")
        with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID):
            await call(b"\xff\xff", metadata=ANN)
    stream: Any = reached.channel.stream_unary("/mediafleet.v1.UploadService/WriteUpload")
    with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID):
        await stream(iter([b"\xff\xff"]), metadata=ANN)


# --- Bytes ----------------------------------------------------------------------------------------------------------


async def test_a_chunk_with_a_wrong_checksum_is_dropped(reached: Reached) -> None:
    made = await create(reached)
    with refused(StatusCode.INVALID_ARGUMENT, Reason.CHUNK_CHECKSUM_MISMATCH):
        await send(reached, chunk(made.upload_id, 0, b"x" * 10), chunk("", 10, b"y" * 10, crc32c=1))
    assert await committed(reached, made.upload_id) == 10


async def test_an_object_with_a_wrong_checksum_fails_and_leaves_nothing(reached: Reached, tmp_path: Path) -> None:
    made = await create(reached)
    last = chunk(made.upload_id, 0, b"content", finish_write=True, checksums=pb.Checksums(crc32c=1))
    with refused(StatusCode.INVALID_ARGUMENT, Reason.OBJECT_CHECKSUM_MISMATCH):
        await send(reached, last)
    now = await reached.uploads.GetUpload(pb.GetUploadRequest(upload_id=made.upload_id), metadata=ANN)
    assert now.upload.state == pb.UPLOAD_STATE_FAILED
    assert now.upload.failure.code == "OBJECT_CHECKSUM_MISMATCH"
    assert not files(tmp_path)


async def test_an_overlap_that_differs_is_refused(reached: Reached) -> None:
    made = await create(reached)
    await send(reached, chunk(made.upload_id, 0, b"a" * PART))
    with refused(StatusCode.INVALID_ARGUMENT, Reason.OVERLAP_MISMATCH):
        await send(reached, chunk(made.upload_id, 0, b"b" * PART))


async def test_a_chunk_over_the_limit_is_refused(reached: Reached) -> None:
    made = await create(reached)
    for size in (2 * MIB + 1, 4 * MIB):
        with refused(StatusCode.INVALID_ARGUMENT, Reason.CHUNK_TOO_LARGE):
            await send(reached, chunk(made.upload_id, 0, bytes(size)))


async def test_a_declared_size_over_the_limit_is_refused(reached: Reached) -> None:
    with refused(StatusCode.INVALID_ARGUMENT, Reason.OBJECT_TOO_LARGE, BadRequest) as refusal:
        await create(reached, metadata=STRICT, display_name="a.png", size_bytes=501)
    assert refusal.fields == {"spec.size_bytes"}


async def test_a_type_outside_the_allow_list_is_refused(reached: Reached) -> None:
    with refused(StatusCode.INVALID_ARGUMENT, Reason.CONTENT_TYPE_NOT_ALLOWED):
        await create(reached, metadata=STRICT, content_type="application/zip", size_bytes=1)


async def test_an_offset_ahead_names_the_committed_size(reached: Reached) -> None:
    made = await create(reached)
    await send(reached, chunk(made.upload_id, 0, b"12345"))
    with refused(StatusCode.OUT_OF_RANGE, Reason.WRITE_OFFSET_AHEAD) as refusal:
        await send(reached, chunk(made.upload_id, 6, b"7"))
    assert refusal.info.metadata["committedSize"] == "5"


async def test_a_size_other_than_declared_is_refused(reached: Reached) -> None:
    for content in (b"1234", b"123456"):
        made = await create(reached, size_bytes=5)
        with refused(StatusCode.OUT_OF_RANGE, Reason.OBJECT_SIZE_MISMATCH):
            await send(reached, chunk(made.upload_id, 0, content, finish_write=True))


async def test_data_after_the_finish_is_refused(reached: Reached) -> None:
    made = await create(reached)
    with refused(StatusCode.INVALID_ARGUMENT, Reason.WRITE_AFTER_FINISH):
        await send(reached, chunk(made.upload_id, 0, b"12", finish_write=True), chunk("", 2, b"3"))


async def test_an_older_writer_is_told_that_it_was_superseded(reached: Reached) -> None:
    made = await create(reached)
    older = reached.uploads.WriteUpload(metadata=ANN)
    await older.write(chunk(made.upload_id, 0, b"a" * PART))
    while await committed(reached, made.upload_id) < PART:
        await older.write(chunk("", 0, b""))
    await send(reached, chunk(made.upload_id, PART, b"b"))
    with refused(StatusCode.ABORTED, Reason.CONCURRENT_WRITER) as refusal:
        await older.write(chunk("", PART, b"c" * PART))
        await older.done_writing()
        await older
    assert refusal.info.metadata["committedSize"] == str(PART + 1)


# --- What is not there, or not in the right state -------------------------------------------------------------------


def calls_on(reached: Reached, upload_id: str) -> Iterator[tuple[str, Any]]:
    """Every call that names an upload."""
    uploads = reached.uploads
    yield "GetUpload", lambda who: uploads.GetUpload(pb.GetUploadRequest(upload_id=upload_id), metadata=who)
    yield (
        "QueryWriteStatus",
        lambda who: uploads.QueryWriteStatus(pb.QueryWriteStatusRequest(upload_id=upload_id), metadata=who),
    )
    yield "WriteUpload", lambda who: send(reached, chunk(upload_id, 0, b"x"), metadata=who)
    yield (
        "WatchUpload",
        lambda who: uploads.WatchUpload(pb.WatchUploadRequest(upload_id=upload_id), metadata=who).read(),
    )
    yield (
        "UpdateUpload",
        lambda who: uploads.UpdateUpload(pb.UpdateUploadRequest(upload_id=upload_id, caption="mine"), metadata=who),
    )
    yield "CancelUpload", lambda who: uploads.CancelUpload(pb.CancelUploadRequest(upload_id=upload_id), metadata=who)
    yield "RetryUpload", lambda who: uploads.RetryUpload(pb.RetryUploadRequest(upload_id=upload_id), metadata=who)
    yield "DeleteUpload", lambda who: uploads.DeleteUpload(pb.DeleteUploadRequest(upload_id=upload_id), metadata=who)
    yield (
        "CreateDownloadUrl",
        lambda who: uploads.CreateDownloadUrl(pb.CreateDownloadUrlRequest(upload_id=upload_id), metadata=who),
    )


async def test_an_unknown_upload_is_not_found(reached: Reached) -> None:
    for _, call in calls_on(reached, UNKNOWN_ID):
        with refused(StatusCode.NOT_FOUND, Reason.UPLOAD_NOT_FOUND):
            await call(ANN)


async def test_another_tenants_upload_is_as_if_it_did_not_exist(reached: Reached) -> None:
    made = await upload(reached)
    for name, call in calls_on(reached, made.upload_id):
        with refused(StatusCode.NOT_FOUND, Reason.UPLOAD_NOT_FOUND) as refusal:
            await call(BOB)
        with refused(StatusCode.NOT_FOUND, Reason.UPLOAD_NOT_FOUND) as unknown:
            await dict(calls_on(reached, UNKNOWN_ID))[name](BOB)
        assert (refusal.message, set(refusal.info.metadata)) == (unknown.message, set(unknown.info.metadata))
    listed = await reached.uploads.ListUploads(pb.ListUploadsRequest(), metadata=BOB)
    assert (len(listed.uploads), listed.total_size) == (0, 0)
    usage = await reached.usage.GetUsage(usage_pb2.GetUsageRequest(), metadata=BOB)
    assert (usage.usage.tenant, usage.usage.bytes) == ("bob", 0)
    watch = reached.uploads.WatchUploads(pb.WatchUploadsRequest(), metadata=BOB)
    first = await watch.read()
    assert isinstance(first, pb.UploadEvent)
    assert first.WhichOneof("event") == "heartbeat"
    watch.cancel()
    now = await reached.uploads.GetUpload(pb.GetUploadRequest(upload_id=made.upload_id), metadata=ANN)
    assert now.upload.revision == made.revision


async def test_an_unknown_batch_cannot_be_joined(reached: Reached) -> None:
    with refused(StatusCode.NOT_FOUND, Reason.BATCH_NOT_FOUND):
        await create(reached, batch_id=UNKNOWN_ID)


async def test_an_expired_upload_is_shown_but_not_served(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    configured = settings(redis_url, tmp_path, intake={"upload_expiry": timedelta(milliseconds=1)})
    async with running(configured) as reached, ledger_at(redis_url) as ledger:
        made = await create(reached)
        while not await ledger.expire(10):
            pass
        shown = await reached.uploads.GetUpload(pb.GetUploadRequest(upload_id=made.upload_id), metadata=ANN)
        assert shown.upload.state == pb.UPLOAD_STATE_EXPIRED
        calls = dict(calls_on(reached, made.upload_id))
        for name in ("WriteUpload", "RetryUpload", "CreateDownloadUrl"):
            with refused(StatusCode.NOT_FOUND, Reason.UPLOAD_EXPIRED):
                await calls[name](ANN)


async def test_a_cancelled_upload_takes_no_bytes(reached: Reached) -> None:
    made = await create(reached)
    await reached.uploads.CancelUpload(pb.CancelUploadRequest(upload_id=made.upload_id), metadata=ANN)
    with refused(StatusCode.FAILED_PRECONDITION, Reason.UPLOAD_CANCELLED):
        await send(reached, chunk(made.upload_id, 0, b"x"))
    with refused(StatusCode.FAILED_PRECONDITION, Reason.ORIGINAL_MISSING):
        await reached.uploads.RetryUpload(pb.RetryUploadRequest(upload_id=made.upload_id), metadata=ANN)


async def test_a_succeeded_upload_is_not_cancelled_or_retried(reached: Reached, redis_url: str) -> None:
    made = await upload(reached, display_name="a.jpg")
    async with ledger_at(redis_url) as ledger:
        claim = await claimed(ledger)
        await ledger.commit(claim.upload.upload_id, claim.fence, outcome())
    with refused(StatusCode.FAILED_PRECONDITION, Reason.UPLOAD_TERMINAL):
        await reached.uploads.CancelUpload(pb.CancelUploadRequest(upload_id=made.upload_id), metadata=ANN)
    with refused(StatusCode.FAILED_PRECONDITION, Reason.UPLOAD_TERMINAL):
        await reached.uploads.RetryUpload(pb.RetryUploadRequest(upload_id=made.upload_id), metadata=ANN)
    with refused(StatusCode.NOT_FOUND, Reason.RENDITION_NOT_FOUND):
        request = pb.CreateDownloadUrlRequest(upload_id=made.upload_id, rendition="huge")
        await reached.uploads.CreateDownloadUrl(request, metadata=ANN)


async def test_an_original_is_not_served_before_it_is_durable(reached: Reached) -> None:
    made = await create(reached)
    with refused(StatusCode.FAILED_PRECONDITION, Reason.UPLOAD_NOT_FINISHED):
        await dict(calls_on(reached, made.upload_id))["CreateDownloadUrl"](ANN)


@pytest.mark.parametrize(
    "name", ["x" * 256, "\U0001f600" * 64, " ", "\u200b", "a/b", "a\\b", "..", "cv\u202egpj.exe", "a\0"]
)
async def test_a_display_name_is_one_that_can_be_saved_and_read(reached: Reached, name: str) -> None:
    with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest) as refusal:
        await create(reached, display_name=name)
    assert refusal.fields == {"spec.display_name"}


async def test_a_negative_offset_takes_over_nothing(reached: Reached, redis_url: str) -> None:
    made = await create(reached)
    async with ledger_at(redis_url) as ledger:
        session = await ledger.open_write(UploadId(made.upload_id), TenantId(made.tenant), 0)
        with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest):
            await send(reached, chunk(made.upload_id, -1, b"x"))
        await ledger.writes(UploadId(made.upload_id), session.fence)


async def test_a_request_id_names_one_wish(reached: Reached) -> None:
    def wish(name: str) -> pb.CreateUploadRequest:
        return pb.CreateUploadRequest(spec=pb.UploadSpec(display_name=name), request_id="r1")

    first = await reached.uploads.CreateUpload(wish("a"), metadata=ANN)
    again = await reached.uploads.CreateUpload(wish("a"), metadata=ANN)
    assert again.upload.upload_id == first.upload.upload_id
    with refused(StatusCode.FAILED_PRECONDITION, Reason.REQUEST_ID_REUSED):
        await reached.uploads.CreateUpload(wish("b"), metadata=ANN)


async def test_a_quota_names_itself(reached: Reached) -> None:
    for _ in range(2):
        await create(reached, metadata=STRICT, display_name="a.png", size_bytes=500)
    counted = key("mediafleet_quota_rejections_total", quota="tenant_bytes")
    before = (await page(reached.gateway.metrics_address))[counted]
    with refused(StatusCode.RESOURCE_EXHAUSTED, Reason.QUOTA_EXCEEDED, QuotaFailure) as refusal:
        await create(reached, metadata=STRICT, display_name="a.png", size_bytes=1)
    assert all(refusal.quotas)
    assert (await page(reached.gateway.metrics_address))[counted] == before + 1


# --- Other sides that are away --------------------------------------------------------------------------------------


async def test_a_ledger_that_is_away_is_worth_another_try(tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis") as url:
        async with running(settings(url, tmp_path / "objects")) as reached:
            await create(reached)
            async with Redis.from_url(url, protocol=2) as client:
                await client.shutdown(nosave=True)
            with refused(StatusCode.UNAVAILABLE, Reason.LEDGER_UNAVAILABLE, RetryInfo) as refusal:
                await create(reached)
    assert refusal.retry_seconds > 0


async def test_a_storage_that_is_away_is_worth_another_try(reached: Reached, tmp_path: Path) -> None:
    stored = tmp_path / "objects"
    stored.rename(tmp_path / "elsewhere")
    stored.write_bytes(b"a file in the place of the folder")
    with refused(StatusCode.UNAVAILABLE, Reason.STORAGE_UNAVAILABLE, RetryInfo) as refusal:
        await upload(reached)
    assert refusal.retry_seconds > 0
    answer = await reached.usage.GetUsage(usage_pb2.GetUsageRequest(refresh=True), metadata=ANN)
    assert answer.usage.storage_state != usage_pb2.STORAGE_STATE_OK
    assert answer.usage.storage_message


async def test_stored_bytes_that_do_not_match_are_told(reached: Reached, tmp_path: Path) -> None:
    made = await create(reached)
    await send(reached, chunk(made.upload_id, 0, b"the tail"))
    (tail,) = files(tmp_path)
    tail.write_bytes(tail.read_bytes().replace(b"tail", b"tale", 1))
    with refused(StatusCode.DATA_LOSS, Reason.STORED_OBJECT_CORRUPT):
        await send(reached, chunk(made.upload_id, 8, b"more"))


async def test_a_lost_original_is_told(reached: Reached, tmp_path: Path) -> None:
    made = await upload(reached)
    for path in files(tmp_path):
        path.unlink()
    with refused(StatusCode.DATA_LOSS, Reason.STORED_OBJECT_CORRUPT):
        await dict(calls_on(reached, made.upload_id))["CreateDownloadUrl"](ANN)


async def test_a_draining_gateway_ends_watches(reached: Reached) -> None:
    made = await create(reached)
    watch = reached.uploads.WatchUpload(pb.WatchUploadRequest(upload_id=made.upload_id), metadata=ANN)
    await watch.read()
    await reached.gateway.drain()
    with refused(StatusCode.UNAVAILABLE, Reason.DRAINING, RetryInfo):
        while await watch.read():
            pass
    with refused(StatusCode.UNAVAILABLE, Reason.DRAINING, RetryInfo):
        await reached.uploads.WatchUploads(pb.WatchUploadsRequest(), metadata=ANN).read()
    with refused(StatusCode.UNAVAILABLE, Reason.DRAINING, RetryInfo):
        await send(reached, chunk(made.upload_id, 0, b"x"))


# --- Callers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ((), Reason.TOKEN_MISSING),
        ((("authorization", "Bearer "),), Reason.TOKEN_MISSING),
        ((("authorization", "Bearer nonsense"),), Reason.TOKEN_INVALID),
        ((("authorization", "Basic YTpi"),), Reason.TOKEN_INVALID),
        (bearer(key="another key, also 32 bytes or more"), Reason.TOKEN_INVALID),
        (bearer("Not A Tenant"), Reason.TOKEN_INVALID),
        (bearer(hours=-1), Reason.TOKEN_EXPIRED),
    ],
)
async def test_calls_without_good_credentials_are_refused(reached: Reached, metadata: Metadata, reason: Reason) -> None:
    for _, call in calls_on(reached, UNKNOWN_ID):
        with refused(StatusCode.UNAUTHENTICATED, reason):
            await call(metadata)


async def test_each_scope_allows_its_own_methods(reached: Reached) -> None:
    needs = {
        "GetUpload": "read",
        "WatchUpload": "read",
        "CreateDownloadUrl": "read",
        "QueryWriteStatus": "upload",
        "WriteUpload": "upload",
        "UpdateUpload": "upload",
        "RetryUpload": "upload",
        "CancelUpload": "cancel",
        "DeleteUpload": "cancel",
    }
    for name, call in calls_on(reached, UNKNOWN_ID):
        others = {"upload", "read", "cancel", "admin"} - {needs[name]}
        with refused(StatusCode.PERMISSION_DENIED, Reason.SCOPE_MISSING) as refusal:
            await call(bearer(scopes=others))
        assert refusal.info.metadata["scope"] == needs[name]
        with refused(StatusCode.NOT_FOUND, Reason.UPLOAD_NOT_FOUND):
            await call(bearer(scopes=[needs[name]]))


async def test_the_bucket_is_for_administrators(reached: Reached) -> None:
    request = usage_pb2.GetUsageRequest(scope=usage_pb2.USAGE_SCOPE_BUCKET)
    with refused(StatusCode.PERMISSION_DENIED, Reason.SCOPE_MISSING):
        await reached.usage.GetUsage(request, metadata=bearer(scopes=["read"]))
    past = usage_pb2.ListUsageHistoryRequest(scope=usage_pb2.USAGE_SCOPE_BUCKET)
    with refused(StatusCode.PERMISSION_DENIED, Reason.SCOPE_MISSING):
        await reached.usage.ListUsageHistory(past, metadata=bearer(scopes=["read"]))
    with refused(StatusCode.PERMISSION_DENIED, Reason.SCOPE_MISSING):
        await FleetServiceStub(reached.channel).GetFleet(fleet_pb2.GetFleetRequest(), metadata=bearer(scopes=["read"]))


# --- Our own --------------------------------------------------------------------------------------------------------


async def test_what_is_not_there_says_so(reached: Reached) -> None:
    for path in ("/mediafleet.v1.UploadService/Nothing", "/no.such.Service/Nothing"):
        with refused(StatusCode.UNIMPLEMENTED, Reason.NOT_IMPLEMENTED):
            call: Any = reached.channel.unary_unary(path)
            await call(b"", metadata=ANN)


class BrokenLedger(RedisLedger):
    """A real ledger with two defects."""

    async def get(self, upload_id: UploadId, tenant: TenantId | None = None) -> Upload:
        """Raises what nobody expects."""
        raise RuntimeError("secret text")

    async def retry(
        self,
        upload_id: UploadId,
        tenant: TenantId,
        *,
        max_attempts: int,
        series: int | None = None,
        op: str | None = None,
    ) -> Upload:
        """A task of its own was cancelled."""
        raise asyncio.CancelledError("secret text")


async def test_a_defect_shows_an_incident_id_and_nothing_else(
    redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    broken = BrokenLedger(Connection(LedgerSettings(ledger_url=redis_url)), "ab")
    async with running(settings(redis_url, tmp_path), ledger=broken) as reached:
        for name in ("GetUpload", "RetryUpload", "QueryWriteStatus"):
            with refused(StatusCode.INTERNAL, Reason.INTERNAL) as refusal:
                await dict(calls_on(reached, UNKNOWN_ID))[name](ANN)
            assert len(refusal.info.metadata["incident"]) == 16
            assert "secret" not in refusal.message
    await broken.close()
