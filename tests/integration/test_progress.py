"""Progress of real jobs, as a watcher is told of it: it never falls, and a retry shows."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from mediafleet_core.events import ProgressMade, Snapshot, StateChanged
from mediafleet_core.progress import RECEIVED_PERCENT, Progress
from mediafleet_core.uploads import State, Upload
from mediafleet_core.watching import Watching
from tests.pictures import scene
from tests.workers import ANN, Shop, open_shop, settings, working


@pytest.fixture
async def shop(redis_url: str, redis_client: Redis, tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_shop(settings(redis_url, tmp_path, job_memory=1 << 30)) as opened:
        yield opened


@asynccontextmanager
async def watched(shop: Shop, upload: Upload) -> AsyncIterator[list[tuple[State | None, Progress]]]:
    """What a watcher is told of the upload, from its queue on; complete after the block. State is None if it stays."""
    told: list[tuple[State | None, Progress]] = []
    ready = asyncio.Event()

    async def follow(watching: Watching) -> None:
        least = timedelta(milliseconds=1)
        async for message in watching.watch(upload.upload_id, ANN, min_interval=least):
            match message.event:
                case Snapshot(upload=found):
                    told.append((found.state, found.progress))
                case StateChanged(state=state, progress=progress):
                    told.append((state, progress))
                case ProgressMade(progress=progress):
                    told.append((None, progress))
            ready.set()

    async with Watching(shop.ledger) as watching, asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(follow(watching))
        await ready.wait()
        yield told


def large_picture() -> bytes:
    """One whose work takes about a second."""
    file = io.BytesIO()
    scene(6000, 4500).convert("RGBA").save(file, "PNG", compress_level=1)
    return file.getvalue()


async def test_percent_moves_within_the_work_and_the_eta_with_it(shop: Shop) -> None:
    upload = await shop.bring(large_picture(), display_name="a.png", silently=True)
    async with watched(shop, upload) as told, working(shop.settings):
        shop.queue.ring(upload.kind)
        await shop.reaches(upload.upload_id, State.SUCCEEDED, State.FAILED, timeout=60)
    percents = [progress.percent for _, progress in told]
    assert percents == sorted(percents)
    assert (percents[0], percents[-1], told[-1][0]) == (RECEIVED_PERCENT, 100, State.SUCCEEDED)
    working_on = [progress for state, progress in told if state is None and progress.stage == "process"]
    assert len({progress.percent for progress in working_on}) > 1, "it moves within the long stage"
    etas = [progress.eta_seconds for progress in working_on if progress.eta_seconds is not None]
    assert etas, "absent only while a step takes thrice its time"
    assert all(0 <= eta < 600 for eta in etas)
    assert any(progress.step for progress in working_on)


async def test_during_a_retry_percent_stays_and_the_attempt_shows(shop: Shop) -> None:
    upload = await shop.bring(b"POISON:tire\n", silently=True)
    async with watched(shop, upload) as told, working(shop.settings):
        shop.queue.ring(upload.kind)
        await shop.reaches(upload.upload_id, State.SUCCEEDED, State.FAILED, timeout=60)
    percents = [progress.percent for _, progress in told]
    assert percents == sorted(percents), "percent stays where the first attempt got it"
    assert told[-1][0] is State.FAILED
    second = [progress for state, progress in told if state is None and progress.attempt == 2]
    first = [progress for state, progress in told if state is None and progress.attempt == 1]
    assert first[-1].percent > RECEIVED_PERCENT
    assert second[0].percent >= first[-1].percent
    assert {progress.series for _, progress in told} == {1}
    queued = [progress for state, progress in told if state is State.QUEUED]
    assert queued[-1].eta_seconds is None, "when the next attempt begins cannot be told"
    again = await shop.ledger.retry(upload.upload_id, ANN, max_attempts=1)
    assert (again.progress.series, again.progress.percent) == (2, RECEIVED_PERCENT), "a manual retry begins anew"
