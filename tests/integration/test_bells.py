"""Few bells: one wakes the whole fleet, and none is lost by being shared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from mediafleet_core.media_types import MediaKind
from mediafleet_core.queue import DramatiqQueue, QueueSettings, open_broker
from mediafleet_core.uploads import State
from mediafleet_devserver.redis_server import free_port, redis_server
from mediafleet_workers.worker import WorkerProcess
from tests.gate import Gate
from tests.intakes import other_database
from tests.processes import children
from tests.waiting import eventually
from tests.workers import ANN, Shop, open_shop, settings, working

BELLS = "dramatiq:image"
"""Where the broker keeps bells that nobody has taken yet."""


@pytest.fixture
async def broker(redis_url: str, redis_client: Redis) -> AsyncIterator[Redis]:
    async with Redis.from_url(other_database(redis_url), protocol=2) as client:
        yield client


def queue_at(address: str) -> DramatiqQueue:
    patient = QueueSettings(broker_url=f"redis://{address}/1", broker_timeout=timedelta(seconds=30))
    return DramatiqQueue(open_broker(patient))


@asynccontextmanager
async def unkept(redis_url: str, folder: Path, **changed: Any) -> AsyncIterator[tuple[Shop, WorkerProcess]]:
    """A worker while nobody does the housekeeping, so that there is no bell but those of the test and of slots."""
    async with open_shop(settings(redis_url, folder, **changed)) as shop:
        assert await shop.ledger.lead("nobody", timedelta(hours=1), job_lease=shop.settings.job.job_lease)
        async with working(shop.settings) as worker:
            yield shop, worker


async def test_one_bell_is_enough_for_many_uploads(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    async with unkept(redis_url, tmp_path, worker_slots=3) as (shop, _):
        uploads = [await shop.bring(b"words", silently=True) for _ in range(20)]
        shop.queue.ring(MediaKind.OTHER)
        for upload in uploads:
            await shop.reaches(upload.upload_id, State.SUCCEEDED)


async def test_one_bell_makes_every_slot_busy(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    async with unkept(redis_url, tmp_path, worker_slots=3) as (shop, worker):
        for _ in range(3):
            await shop.bring(b"POISON:sleep\n", silently=True)
        shop.queue.ring(MediaKind.OTHER)

        async def all_busy() -> bool:
            return len(children(worker.sandbox_pid or 0)) == 3

        await eventually(all_busy)


async def test_a_busy_slot_needs_no_bell_for_what_came_meanwhile(
    redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    async with unkept(redis_url, tmp_path, worker_slots=1) as (shop, _):
        first = await shop.bring(b"POISON:sleep\n")
        await shop.reaches(first.upload_id, State.PROCESSING)
        second = await shop.bring(b"words", silently=True)
        await shop.ledger.cancel(first.upload_id, ANN, "")
        await shop.reaches(second.upload_id, State.SUCCEEDED)


async def test_no_kind_waits_for_the_end_of_another(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    async with unkept(redis_url, tmp_path, worker_slots=1) as (shop, _):
        pictures = [await shop.bring(b"words", content_type="image/jpeg", silently=True) for _ in range(3)]
        other = await shop.bring(b"words", silently=True)
        shop.queue.ring(MediaKind.IMAGE)
        ended = [await shop.reaches(upload.upload_id, State.SUCCEEDED, State.FAILED) for upload in (*pictures, other)]
    in_turn = sorted(ended, key=lambda upload: str(upload.start_time))
    assert in_turn[1].upload_id == other.upload_id


async def test_a_drain_between_two_jobs_claims_nothing_more(
    redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    async with unkept(redis_url, tmp_path, worker_slots=1) as (shop, worker):
        running = await shop.bring(b"POISON:sleep\n")
        waiting = await shop.bring(b"words", silently=True)
        await shop.reaches(running.upload_id, State.PROCESSING)
        drain = asyncio.create_task(worker.drain())
        await shop.ledger.cancel(running.upload_id, ANN, "")  # its slot is free before the grace ends
        await drain
        assert (await shop.ledger.get(running.upload_id)).state is State.CANCELLED
        left = await shop.ledger.get(waiting.upload_id)
        assert (left.state, left.start_time) == (State.QUEUED, None)


async def test_what_is_queued_while_the_broker_is_away_is_done_later(
    redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    port = free_port()
    configured = settings(redis_url, tmp_path, broker_url=f"redis://127.0.0.1:{port}/1")
    async with open_shop(configured) as shop:
        upload = await shop.bring(b"words")
        assert (await shop.ledger.get(upload.upload_id)).state is State.QUEUED
        with redis_server(tmp_path / "broker", port=port):
            async with working(configured):
                await shop.reaches(upload.upload_id, State.SUCCEEDED)


async def test_rings_while_a_bell_is_under_way_make_one_more(redis_url: str, broker: Redis) -> None:
    gate = Gate(r"(?s).*enqueue", with_head=True)
    async with gate.to(urlsplit(redis_url).netloc) as near:
        queue = queue_at(near)
        queue.ring(MediaKind.IMAGE)
        await gate.reached.wait()
        for _ in range(3):
            queue.ring(MediaKind.IMAGE)

        async def taken() -> None:
            await broker.blpop([BELLS])

        async def awaited() -> bool:
            return any(client["cmd"] == "blpop" for client in await broker.client_list())

        first = asyncio.create_task(taken())
        await eventually(awaited)  # the first bell is taken in the moment it comes
        gate.release()
        await first
        await taken()
        await queue.close()
        assert await broker.llen(BELLS) == 0


async def test_a_bell_that_waits_does_for_all(redis_url: str, broker: Redis) -> None:
    for _ in range(2):
        queue = queue_at(urlsplit(redis_url).netloc)
        for _ in range(3):
            queue.ring(MediaKind.IMAGE)
        await queue.close()
        assert await broker.llen(BELLS) == 1
