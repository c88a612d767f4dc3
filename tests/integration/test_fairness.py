"""Whose upload a real worker takes next while others have much to do; the event log tells the order exactly."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from mediafleet_core.events import Cursor, StateChanged
from mediafleet_core.identity import UploadId
from mediafleet_core.uploads import Priority, State, Upload
from mediafleet_workers.worker import WorkerProcess
from tests.workers import ANN, BOB, Shop, open_shop, settings, working


@pytest.fixture
async def shop(redis_url: str, redis_client: Redis, tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_shop(settings(redis_url, tmp_path, worker_slots=2)) as opened:
        yield opened


@pytest.fixture
async def worker(shop: Shop) -> AsyncIterator[WorkerProcess]:
    async with working(shop.settings) as process:
        yield process


async def busy(shop: Shop, priority: Priority) -> list[Upload]:
    """Two jobs that never end, one in each slot."""
    running = [await shop.bring(b"POISON:sleep\n", priority=priority) for _ in range(2)]
    for upload in running:
        await shop.reaches(upload.upload_id, State.PROCESSING)
    return running


async def started_in_turn(shop: Shop, start: Cursor, uploads: list[Upload]) -> list[UploadId]:
    """Their ids in the order in which the worker took them up since `start`, once all of them are done."""
    for upload in uploads:
        await shop.reaches(upload.upload_id, State.SUCCEEDED)
    ids = {upload.upload_id for upload in uploads}
    entries = [entry for _, entry in await shop.ledger.read(start, limit=1_000) if entry.upload_id in ids]
    return [entry.upload_id for entry in entries if isinstance(entry, StateChanged) and entry.state is State.PROCESSING]


async def test_bulk_work_delays_what_is_urgent_by_the_job_at_hand_and_no_more(
    shop: Shop, worker: WorkerProcess
) -> None:
    at_hand = await busy(shop, Priority.BULK)
    start = await shop.ledger.position()
    bulk = [await shop.bring(b"words", priority=Priority.BULK) for _ in range(5)]
    urgent = [await shop.bring(b"words", priority=Priority.INTERACTIVE, tenant=BOB) for _ in range(3)]
    await shop.ledger.cancel(at_hand[0].upload_id, ANN, "")  # its slot does all the rest
    order = await started_in_turn(shop, start, [*bulk, *urgent])
    assert order[:3] == [upload.upload_id for upload in urgent]


async def test_one_file_waits_for_one_turn_of_a_tenant_with_many(shop: Shop, worker: WorkerProcess) -> None:
    at_hand = await busy(shop, Priority.NORMAL)
    start = await shop.ledger.position()
    many = [await shop.bring(b"words") for _ in range(20)]
    single = await shop.bring(b"words", tenant=BOB)
    await shop.ledger.cancel(at_hand[0].upload_id, ANN, "")
    order = await started_in_turn(shop, start, [*many, single])
    assert order.index(single.upload_id) <= 1
