"""A storage that fails in every way it can, at random: no upload is spoilt by it, and nothing is left behind."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from mediafleet import AsyncClient
from mediafleet.errors import MediafleetError
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.ledger import LedgerSettings, RedisLedger, connect
from mediafleet_core.object_keys import ROOT
from mediafleet_core.ports import ObjectStore
from mediafleet_core.queue import DramatiqQueue, open_broker
from mediafleet_core.storage import open_store
from mediafleet_devserver.r2.faults import Fault, FaultKind, Faults
from mediafleet_devserver.r2.operations import Operation
from mediafleet_workers.housekeeping import HousekeepingSettings
from mediafleet_workers.housekeeping.duties import House, abort_strays, sweep_objects
from tests.buckets import bucket
from tests.gateways import bearer, running, settings
from tests.ledgers import SHORTEST
from tests.waiting import eventually

MIB = 1 << 20
TENANT = TenantId("ann")
SEED = 20
RIGHT_REASONS = {"STORAGE_UNAVAILABLE", "STORED_OBJECT_CORRUPT"}


class Place(NamedTuple):
    """A client of a gateway, and what lies behind them."""

    client: AsyncClient
    ledger: RedisLedger
    store: ObjectStore
    faults: Faults
    house: House


@pytest.fixture
async def place(redis_url: str, redis_client: Redis, tmp_path: Path) -> AsyncIterator[Place]:
    async with AsyncExitStack() as stack:
        behind = stack.enter_context(
            bucket(
                f"media-{uuid4().hex}",
                storage_timeout=timedelta(milliseconds=500),
                storage_breaker_cooldown=timedelta(seconds=1),
            )
        )
        configured = settings(redis_url, tmp_path, intake={"part_bytes": 5 * MIB})._replace(
            ledger=LedgerSettings(ledger_url=redis_url, sweep_again_after=SHORTEST), storage=behind.settings
        )
        reached = await stack.enter_async_context(running(configured))
        token = bearer(TENANT)[0][1].removeprefix("Bearer ")
        client = await stack.enter_async_context(AsyncClient(str(reached.gateway.address), token=token))
        ledger = await connect(configured.ledger)
        stack.push_async_callback(ledger.close)
        store = open_store(behind.settings)
        stack.push_async_callback(store.close)
        queue = DramatiqQueue(open_broker(configured.queue))
        stack.push_async_callback(queue.close)
        house = House(ledger, store, queue, HousekeepingSettings(stray_age=SHORTEST), timedelta(seconds=6))
        yield Place(client, ledger, store, behind.faults, house)


PASSING = [kind for kind in FaultKind if kind is not FaultKind.DENY]
"""A refusal is for good, nobody asks again."""


def planned(share: float) -> list[Fault]:
    """Each kind of trouble that passes, for this share of requests."""
    return [Fault(kind=kind, probability=share, seed=SEED + n, seconds=1.0) for n, kind in enumerate(PASSING)]


async def send_all(place: Place, contents: list[bytes], at_once: int) -> Counter[str]:
    """Upload everything; what became of it: "ok", or the reason of a refusal."""
    turns = asyncio.Semaphore(at_once)

    async def send(number: int) -> str:
        async with turns:
            try:
                await place.client.upload(contents[number], display_name=f"{number}.bin")
            except MediafleetError as error:
                return error.reason or str(error)
            return "ok"

    return Counter(await asyncio.gather(*map(send, range(len(contents)))))


async def tidy(place: Place) -> None:
    """What housekeeping does in time, at once; uploads that were given up end as if they had expired."""
    async for upload in place.client.list(pb.UploadFilter(states=[pb.UPLOAD_STATE_RECEIVING])):
        await place.client.cancel(upload.upload_id)

    async def swept() -> bool:
        await sweep_objects(place.house)
        return not await place.ledger.sweeps(1)

    await eventually(swept)
    await abort_strays(place.house)


async def check_what_is_left(place: Place, contents: list[bytes]) -> int:
    """Every record's object is whole, and there is nothing else; returns how many there are."""
    uploads = [upload async for upload in place.client.list(pb.UploadFilter(states=[pb.UPLOAD_STATE_QUEUED]))]
    keys = set()
    for upload in uploads:
        record = await place.ledger.get(UploadId(upload.upload_id))
        keys.add(record.original_key)
        stored = b"".join([chunk async for chunk in place.store.read(record.original_key)])
        assert stored == contents[int(upload.display_name.removesuffix(".bin"))]
    assert {stored.key async for stored in place.store.list(ROOT)} == keys
    assert [found async for found in place.store.list_multiparts(ROOT)] == []
    usage = await place.ledger.usage(TENANT)
    assert usage.reserved_bytes == 0
    assert usage.total == (sum(upload.size_bytes for upload in uploads), len(uploads))
    return len(uploads)


async def survive(place: Place, share: float, small: int, large: int) -> Counter[str]:
    chance = random.Random(SEED)
    contents = [chance.randbytes(chance.randrange(1, 300_000)) for _ in range(small)]
    contents += [chance.randbytes(chance.randrange(6 * MIB, 12 * MIB)) for _ in range(large)]
    chance.shuffle(contents)
    place.faults.plan(planned(share))
    ends = await send_all(place, contents, at_once=16)
    place.faults.plan([])
    await tidy(place)
    assert await check_what_is_left(place, contents) == ends["ok"]
    assert set(ends) <= {"ok", *RIGHT_REASONS}, ends
    return ends


async def test_a_storage_full_of_faults_spoils_no_upload(place: Place) -> None:
    ends = await survive(place, share=0.05, small=20, large=1)
    assert ends["ok"] >= 18


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_two_hundred_uploads_into_a_storage_full_of_faults(place: Place) -> None:
    ends = await survive(place, share=0.1, small=175, large=25)
    assert ends["ok"] >= 180
    assert set(place.faults.struck) == set(PASSING)


@pytest.mark.parametrize(
    "operation", [Operation.UPLOAD_PART, Operation.COMPLETE_MULTIPART_UPLOAD, Operation.PUT_OBJECT]
)
async def test_a_false_etag_is_seen_through(place: Place, operation: Operation) -> None:
    place.faults.plan([Fault(kind=FaultKind.WRONG_ETAG, operations=frozenset({operation}))])
    content = random.Random(SEED).randbytes(100 if operation is Operation.PUT_OBJECT else 6 * MIB)
    await place.client.upload(content, display_name="0.bin")
    assert place.faults.struck[FaultKind.WRONG_ETAG]
    assert await check_what_is_left(place, [content]) == 1


@pytest.mark.parametrize("operation", [Operation.UPLOAD_PART, Operation.PUT_OBJECT])
async def test_a_storage_that_stalls_is_asked_again_in_time(place: Place, operation: Operation) -> None:
    place.faults.plan([Fault(kind=FaultKind.STALL, times=1, seconds=60, operations=frozenset({operation}))])
    content = random.Random(SEED).randbytes(100 if operation is Operation.PUT_OBJECT else 6 * MIB)
    async with asyncio.timeout(50):
        await place.client.upload(content, display_name="0.bin")
    assert place.faults.struck[FaultKind.STALL] == 1
    assert await check_what_is_left(place, [content]) == 1


async def test_a_multipart_that_somebody_else_aborts_fails_its_upload(place: Place) -> None:
    place.faults.plan([Fault(kind=FaultKind.ERROR, operations=frozenset({Operation.COMPLETE_MULTIPART_UPLOAD}))])
    content = random.Random(SEED).randbytes(6 * MIB)
    sending = asyncio.create_task(place.client.upload(content, display_name="0.bin"))

    async def completing() -> bool:
        return place.faults.struck[FaultKind.ERROR] > 0

    await eventually(completing)
    async for found in place.store.list_multiparts(ROOT):
        await place.store.abort_multipart(found.key, found.multipart_id)
    place.faults.plan([])
    with pytest.raises(MediafleetError) as caught:
        await sending
    assert caught.value.reason in {"ORIGINAL_MISSING", "UPLOAD_TERMINAL"}
    await tidy(place)
    assert await check_what_is_left(place, [content]) == 0
