"""Whose import is copied next, and who is asked to come back: one place, and a copy that has it for as long as a test
wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from google.rpc.error_details_pb2 import RetryInfo
from grpc import StatusCode
from grpc.aio import AioRpcError
from redis.asyncio import Redis

from mediafleet import AsyncClient, Importable, UploadState
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core.errors import Reason
from mediafleet_core.intake import importing
from tests.directs import Bucket
from tests.gate import Gate
from tests.gateways import BOB, refused
from tests.imports import Place, empty, take, token
from tests.waiting import eventually

LIMITS = {"bob": {"concurrent_uploads": 1}}


class Line:
    """A gateway that copies one object at a time; the first copy is at the storage until `gate` is released."""

    def __init__(self, here: Place, bob: AsyncClient, gate: Gate) -> None:
        self.here, self.gate, self._bob = here, gate, bob

    async def put(self, tenant: str, count: int) -> Sequence[Importable]:
        """So many objects of ann's or bob's, as they are listed."""
        for number in range(count):
            await self.here.shelf.put(f"{tenant}/{number}.bin", b"content")
        client = self.here.client if tenant == "ann" else self._bob
        return [found async for found in client.imports.list()]

    async def uploads(self) -> list[str]:
        """The tenants of all uploads that were made."""
        found = [[upload.tenant async for upload in client.list()] for client in (self.here.client, self._bob)]
        return [tenant for tenants in found for tenant in tenants]


@pytest.fixture
async def line(
    redis_url: str, redis_client: Redis, tmp_path: Path, r2: Bucket, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Line]:
    monkeypatch.setattr(importing, "PATIENCE", 0.05)  # so that a call leaves while its copy waits
    gate = Gate(r"(?si)PUT .*x-amz-copy-source:", with_head=True)
    gateway, intake = {"tenants": json.dumps(LIMITS)}, {"imports_at_once": 1}
    async with (
        gate.to(r2.url.removeprefix("http://")) as near,
        empty(r2, redis_url, tmp_path, gateway=gateway, intake=intake, r2_endpoint_url=f"http://{near}") as here,
        AsyncClient(str(here.reached.gateway.address), token=token(BOB)) as bob,
    ):
        yield Line(here, bob, gate)
        gate.release()


@asynccontextmanager
async def queued(client: AsyncClient) -> AsyncIterator[list[str]]:
    """Tenants in the order in which their uploads come to be QUEUED while the block runs."""
    order, watching = list[str](), asyncio.Event()

    async def watch() -> None:
        async for event in client.watch_many(
            pb.UploadFilter(states=[UploadState.UPLOAD_STATE_QUEUED]), all_tenants=True
        ):
            watching.set()
            if event.WhichOneof("event") == "state_changed":
                order.append(event.tenant)

    task = asyncio.create_task(watch())
    await watching.wait()
    yield order
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_next_free_place_is_of_the_tenant_that_had_none(line: Line) -> None:
    async with queued(line.here.client) as order:
        for found in await line.put("ann", 4):
            assert (await take(line.here, found)).state == UploadState.UPLOAD_STATE_RECEIVING
        await line.gate.reached.wait()
        (bobs,) = await line.put("bob", 1)
        assert (await take(line.here, bobs, BOB)).state == UploadState.UPLOAD_STATE_RECEIVING
        line.gate.release()

        async def all_queued() -> bool:
            return len(order) == 5

        await eventually(all_queued)
        assert order == ["ann", "bob", "ann", "ann", "ann"]


async def test_of_calls_at_once_a_tenant_has_no_more_copies_than_uploads(line: Line) -> None:
    (first,) = await line.put("ann", 1)
    await take(line.here, first)
    await line.gate.reached.wait()
    found = await line.put("bob", 5)
    answers = await asyncio.gather(*(take(line.here, each, BOB) for each in found), return_exceptions=True)
    refusals = [answer for answer in answers if isinstance(answer, AioRpcError)]
    assert [refusal.code() for refusal in refusals] == [StatusCode.RESOURCE_EXHAUSTED] * 4
    assert await line.uploads() == ["ann", "bob"]


async def test_however_many_copies_are_under_way_each_tenant_has_one(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_MOST_BEGUN", 1)
    first, second = await line.put("ann", 2)
    await take(line.here, first)
    with refused(StatusCode.RESOURCE_EXHAUSTED, Reason.RATE_LIMITED, RetryInfo):
        await take(line.here, second)
    (bobs,) = await line.put("bob", 1)
    await take(line.here, bobs, BOB)
    assert await line.uploads() == ["ann", "bob"]
    assert (await line.here.client.usage()).reserved_bytes == first.size_bytes
