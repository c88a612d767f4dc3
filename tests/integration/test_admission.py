"""Limits of a gateway as its clients meet them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import REGISTRY
from pydantic import ValidationError
from redis.asyncio import Redis

from mediafleet import AsyncClient
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core.errors import Reason
from mediafleet_core.quotas import Limits
from mediafleet_gateway.settings import GatewaySettings
from tests.gateways import ANN, BOB, KEY, Reached, bearer, create, refused, running, settings, upload
from tests.waiting import eventually

EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
PLACES = 3


@pytest.fixture
async def gateway(redis_url: str, redis_client: Redis, tmp_path: Path) -> AsyncIterator[Reached]:
    limits = {"max_uploads": PLACES, "tenants": {"bob": Limits(concurrent_uploads=1)}}
    async with running(settings(redis_url, tmp_path, limits)) as reached:
        yield reached


async def occupied() -> float:
    return REGISTRY.get_sample_value("mediafleet_uploads_in_flight") or 0


class Stream:
    """A WriteUpload that holds its place until it is let go."""

    def __init__(self, gateway: Reached, record: pb.Upload, metadata: tuple[tuple[str, str], ...]) -> None:
        self._go = asyncio.Event()
        self._record = record
        self.call = gateway.uploads.WriteUpload(self._messages(), metadata=metadata)

    async def _messages(self) -> AsyncIterator[pb.WriteUploadRequest]:
        yield pb.WriteUploadRequest(upload_id=self._record.upload_id, content=b"con")
        await self._go.wait()
        yield pb.WriteUploadRequest(write_offset=3, content=b"tent", finish_write=True)

    async def finish(self) -> pb.Upload:
        self._go.set()
        return (await self.call).upload


async def full(gateway: Reached) -> list[Stream]:
    streams = [Stream(gateway, await create(gateway), ANN) for _ in range(PLACES)]

    async def are_in() -> bool:
        return await occupied() == PLACES

    await eventually(are_in)
    return streams


async def test_beyond_the_limit_uploads_are_asked_to_come_back_and_nothing_else_is(gateway: Reached) -> None:
    streams = await full(gateway)
    late = await create(gateway)
    with refused(EXHAUSTED, Reason.RATE_LIMITED, RetryInfo) as refusal:
        await upload(gateway)
    assert refusal.info.metadata["limit"] == "gateway"
    assert int(refusal.trailers["grpc-retry-pushback-ms"]) == int(refusal.retry_seconds * 1000) > 0
    with refused(EXHAUSTED, Reason.RATE_LIMITED, RetryInfo):
        await Stream(gateway, late, ANN).finish()

    get = pb.GetUploadRequest(upload_id=late.upload_id)
    assert (await gateway.uploads.GetUpload(get, metadata=ANN)).upload.state == pb.UPLOAD_STATE_RECEIVING
    watch = gateway.uploads.WatchUpload(pb.WatchUploadRequest(upload_id=late.upload_id), metadata=ANN)
    assert (await anext(aiter(watch))).HasField("snapshot")
    watch.cancel()
    health: Any = health_pb2_grpc.HealthStub(gateway.channel)
    assert (await health.Check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.SERVING

    for stream in streams:
        assert (await stream.finish()).state == pb.UPLOAD_STATE_QUEUED
    assert (await Stream(gateway, late, ANN).finish()).state == pb.UPLOAD_STATE_QUEUED


async def test_a_cancelled_or_refused_upload_gives_its_place_back(gateway: Reached) -> None:
    for stream in await full(gateway):
        stream.call.cancel()

    async def are_out() -> bool:
        return await occupied() == 0

    await eventually(are_out)
    for _ in range(2 * PLACES):
        with refused(grpc.StatusCode.NOT_FOUND, Reason.UPLOAD_NOT_FOUND):
            await Stream(gateway, pb.Upload(upload_id="01900000-0000-7000-8000-000000000000"), ANN).finish()
    assert await occupied() == 0


async def test_a_tenant_at_its_limit_leaves_room_for_the_others(gateway: Reached) -> None:
    busy = Stream(gateway, await create(gateway, BOB), BOB)

    async def is_in() -> bool:
        return await occupied() == 1

    await eventually(is_in)
    with refused(EXHAUSTED, Reason.RATE_LIMITED, RetryInfo) as refusal:
        await upload(gateway, metadata=BOB)
    assert refusal.info.metadata["limit"] == "tenant"
    assert (await upload(gateway, metadata=ANN)).state == pb.UPLOAD_STATE_QUEUED
    await busy.finish()


async def test_many_clients_against_few_places_all_end_well(gateway: Reached) -> None:
    """Streams and whole files of several tenants; nothing but what the gateway asks for makes them wait."""
    before = REGISTRY.get_sample_value("mediafleet_rejected_total", {"reason": "RATE_LIMITED"}) or 0

    async def one(number: int) -> pb.Upload:
        token = bearer(f"tenant-{number % 4}")[0][1].removeprefix("Bearer ")
        async with AsyncClient(str(gateway.gateway.address), token=token) as client:
            content = bytes([number]) * (3_000_000 if number % 3 == 0 else 30_000)
            return await client.upload(content, display_name=f"{number}.bin")

    uploads = await asyncio.gather(*map(one, range(10 * PLACES)))
    assert {each.state for each in uploads} == {pb.UPLOAD_STATE_QUEUED}
    assert len({each.upload_id for each in uploads}) == 10 * PLACES
    assert (REGISTRY.get_sample_value("mediafleet_rejected_total", {"reason": "RATE_LIMITED"}) or 0) > before
    assert await occupied() == 0


async def test_calls_of_a_method_have_a_limit_of_their_own(redis_url: str, tmp_path: Path) -> None:
    configured = settings(redis_url, tmp_path, {"method_limits": '{"CreateUpload": 1}'})
    async with running(configured) as reached:
        answers = await asyncio.gather(*(create(reached) for _ in range(50)), return_exceptions=True)
    codes = [answer.code() for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert set(codes) == {EXHAUSTED}
    assert len(codes) < 50


@pytest.mark.parametrize("wrong", ['{"GetUpload": 5}', '{"CreateUpload": 0}', "[]"])
def test_method_limits_name_methods_that_are_counted(wrong: str) -> None:
    with pytest.raises(ValidationError):
        GatewaySettings(token_key=KEY, method_limits=wrong)
