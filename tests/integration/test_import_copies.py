"""The copies of imports under way: storages that fail, objects that change, callers and gateways that leave."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.rpc.error_details_pb2 import RetryInfo
from grpc import StatusCode
from redis.asyncio import Redis

from mediafleet import FailedPrecondition, UploadState
from mediafleet.gateways import Gateways
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core.errors import Reason
from mediafleet_core.intake import IntakeSettings, copying, importing
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.ports import WriteSession
from mediafleet_core.quotas import Limits
from mediafleet_core.storage import s3_calls
from mediafleet_core.uploads import UploadSpec
from mediafleet_devserver.r2.faults import Fault, FaultKind
from mediafleet_devserver.r2.operations import Operation
from tests.directs import PART, Bucket
from tests.gateways import refused
from tests.imports import Folder, Place, empty, place, take
from tests.intakes import ANN as TENANT
from tests.intakes import site
from tests.waiting import eventually

FILM = os.urandom(2 * PART + 1)
"""Copied in three parts."""


@pytest.fixture
async def on_r2(redis_url: str, redis_client: Redis, tmp_path: Path, r2: Bucket) -> AsyncIterator[Place]:
    """A bucket whose objects above 5 MiB are copied in parts."""
    async with empty(r2, redis_url, tmp_path, storage_copy_bytes=PART) as made:
        yield made


async def test_a_storage_that_fails_is_asked_again(on_r2: Place, r2: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_calls, "ATTEMPTS", 1)
    found = await on_r2.only("film.bin", FILM)
    r2.plan(Fault(kind=FaultKind.UNAVAILABLE, operations=frozenset({Operation.UPLOAD_PART_COPY})))
    with refused(StatusCode.UNAVAILABLE, Reason.STORAGE_UNAVAILABLE, RetryInfo):
        await take(on_r2, found, request_id="r")
    (begun,) = [upload async for upload in on_r2.client.list()]
    assert begun.state == UploadState.UPLOAD_STATE_RECEIVING
    assert await on_r2.left() == []
    r2.plan()
    done = await take(on_r2, found, request_id="r")
    assert (done.upload_id, done.committed_size) == (begun.upload_id, found.size_bytes)
    assert len(await on_r2.left()) == 1


async def test_a_caller_that_leaves_as_a_copy_begins_stops_nothing(
    redis_url: str, redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, release, hold = asyncio.Event(), asyncio.Event(), RedisLedger.hold_import

    async def slow(self: RedisLedger, *arguments: Any, **more: Any) -> WriteSession:
        session = await hold(self, *arguments, **more)
        held.set()
        await release.wait()
        return session

    monkeypatch.setattr(RedisLedger, "hold_import", slow)
    await Folder(tmp_path).put("ann/a.bin", b"content")
    async with site(redis_url, tmp_path, IntakeSettings()) as core:
        (found,) = (await core.intake.imports.list(TENANT, "", limit=10)).objects
        spec = UploadSpec(display_name="a.bin")
        call = core.intake.imports.take(TENANT, spec, found.key, found.etag, limits=Limits())
        taking = asyncio.create_task(call)
        await held.wait()
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
        release.set()

        async def queued() -> bool:
            return await core.due() == 1

        await eventually(queued, copying.HOLD.total_seconds() / 2)


@pytest.mark.parametrize("gone", [True, False])
async def test_an_object_that_goes_or_changes_while_it_is_imported_fails(
    on_r2: Place, r2: Bucket, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    monkeypatch.setattr(s3_calls, "ATTEMPTS", 1)
    found = await on_r2.only("a.bin")
    r2.plan(Fault(kind=FaultKind.UNAVAILABLE, operations=frozenset({Operation.COPY_OBJECT})))
    with refused(StatusCode.UNAVAILABLE, Reason.STORAGE_UNAVAILABLE, RetryInfo):
        await take(on_r2, found, request_id="r")
    r2.plan()
    if gone:
        await on_r2.shelf.drop("ann/a.bin")
        with refused(StatusCode.NOT_FOUND, Reason.SOURCE_NOT_FOUND):
            await take(on_r2, found, request_id="r")
    else:
        await on_r2.shelf.put("ann/a.bin", b"another")
        with refused(StatusCode.FAILED_PRECONDITION, Reason.SOURCE_CHANGED):
            await take(on_r2, found, request_id="r")
    done = await take(on_r2, found, request_id="r")
    assert (done.state, done.failure.code) == (UploadState.UPLOAD_STATE_FAILED, "ORIGINAL_MISSING")
    assert ("deleted" if gone else "replaced") in done.failure.detail
    assert await on_r2.left() == []
    assert (await on_r2.client.usage()).bytes == 0


async def test_a_cancel_stops_the_copy(on_r2: Place, r2: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await on_r2.only("film.bin", FILM)
    monkeypatch.setattr(importing, "PATIENCE", 0.05)
    monkeypatch.setattr(copying, "_BEAT", 0.02)
    r2.plan(Fault(kind=FaultKind.STALL, seconds=0.3, operations=frozenset({Operation.UPLOAD_PART_COPY})))
    upload = await take(on_r2, found)
    assert (await on_r2.client.cancel(upload.upload_id)).state == UploadState.UPLOAD_STATE_CANCELLED
    asked = r2.asked["UploadPartCopy"]

    async def nothing_left() -> bool:
        return not await on_r2.left()

    await eventually(nothing_left)
    assert r2.asked["UploadPartCopy"] <= asked + 1  # of three parts


async def test_a_cancel_between_two_calls_is_not_undone(
    on_r2: Place, r2: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await on_r2.only("film.bin", FILM)
    monkeypatch.setattr(importing, "PATIENCE", 0.05)
    monkeypatch.setattr(copying, "_BEAT", 0.02)
    r2.plan(Fault(kind=FaultKind.STALL, seconds=0.3, operations=frozenset({Operation.UPLOAD_PART_COPY})))
    call = Gateways.call

    async def cancelled_first(self: Gateways, method: Any, request: Any, **more: Any) -> Any:
        answer = await call(self, method, request, **more)
        if isinstance(answer, pb.ImportUploadResponse) and answer.upload.state == UploadState.UPLOAD_STATE_RECEIVING:
            cancel = pb.CancelUploadRequest(upload_id=answer.upload.upload_id)
            await call(self, lambda gateway: gateway.uploads.CancelUpload, cancel)
        return answer

    monkeypatch.setattr(Gateways, "call", cancelled_first)
    with pytest.raises(FailedPrecondition) as cancelled:
        await on_r2.client.imports.take(found)
    assert cancelled.value.reason == "UPLOAD_CANCELLED"
    (left,) = [upload async for upload in on_r2.client.list()]
    assert left.state == UploadState.UPLOAD_STATE_CANCELLED


async def test_who_waits_for_a_long_copy_hears_how_far_it_is(
    on_r2: Place, r2: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await on_r2.only("film.bin", FILM)
    monkeypatch.setattr(importing, "PATIENCE", 0.05)
    monkeypatch.setattr(copying, "_BEAT", 0.02)
    r2.plan(Fault(kind=FaultKind.STALL, seconds=0.5, operations=frozenset({Operation.UPLOAD_PART_COPY})))
    told: list[int] = []
    done = await on_r2.client.imports.take(found, progress=lambda upload: told.append(upload.committed_size))
    assert done.state == UploadState.UPLOAD_STATE_QUEUED
    assert {PART, 2 * PART} & set(told)
    assert told == sorted(told)
    assert (told[-1], r2.asked["CreateMultipartUpload"]) == (len(FILM), r2.asked["CompleteMultipartUpload"])


async def test_a_gateway_that_ends_lets_go_of_its_copies_at_once(
    r2: Bucket, redis_url: str, redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "PATIENCE", 0.05)
    async with empty(r2, redis_url, tmp_path, storage_copy_bytes=PART) as first:
        found = await first.only("film.bin", FILM)
        r2.plan(Fault(kind=FaultKind.STALL, seconds=0.5, times=1, operations=frozenset({Operation.UPLOAD_PART_COPY})))
        begun = await take(first, found, request_id="r")
    async with place(redis_url, tmp_path, r2) as other:

        async def taken_over() -> bool:
            return (await take(other, found, request_id="r")).state == UploadState.UPLOAD_STATE_QUEUED

        await eventually(taken_over, copying.HOLD.total_seconds() / 2)
        assert (await other.client.get(begun.upload_id)).committed_size == found.size_bytes


async def test_a_copy_whose_gateway_is_gone_is_taken_over(
    on_r2: Place, r2: Bucket, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await on_r2.only("film.bin", FILM)
    monkeypatch.setattr(importing, "PATIENCE", 0.05)
    monkeypatch.setattr(copying, "_BEAT", 60.0)  # it gives no sign of life
    monkeypatch.setattr(copying, "HOLD", copying.HOLD / 30)
    copies = frozenset({Operation.UPLOAD_PART_COPY})
    stalled = r2.faults.struck[FaultKind.STALL]
    r2.plan(Fault(kind=FaultKind.STALL, seconds=3, times=1, operations=copies))
    begun = await take(on_r2, found, request_id="r")

    async def copying_it() -> bool:
        return r2.faults.struck[FaultKind.STALL] > stalled

    await eventually(copying_it)
    monkeypatch.setattr(copying, "_BEAT", 0.02)  # who takes it over lives
    async with place(redis_url, tmp_path, r2, storage_copy_bytes=PART) as other:

        async def taken_over() -> pb.Upload | None:
            upload = await take(other, found, request_id="r")
            return upload if upload.state != UploadState.UPLOAD_STATE_RECEIVING else None

        done = await eventually(taken_over)
        assert done is not None
        assert (done.upload_id, done.committed_size) == (begun.upload_id, found.size_bytes)

        async def only_one() -> bool:
            return await other.left() == [f"uploads/ann/{done.upload_id}/o/2"]

        await eventually(only_one)
