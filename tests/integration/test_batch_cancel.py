"""A cancel ends a batch at once, and nothing of it starts afterwards."""

from __future__ import annotations

from pathlib import Path

from benchmarks.batch_cancel import cancel_batch
from mediafleet import AsyncClient
from tests.gateways import ANN, Reached
from tests.workers import settings, working

RUNNING = 4


async def test_nothing_of_a_cancelled_batch_starts(reached: Reached, redis_url: str, tmp_path: Path) -> None:
    token = ANN[0][1].removeprefix("Bearer ")
    async with (
        working(settings(redis_url, tmp_path, worker_slots=RUNNING)),
        AsyncClient(str(reached.gateway.address), token=token, timeout=20) as client,
    ):
        went = await cancel_batch(client, client, waiting=250, running=RUNNING)
    assert (went.rows, len(went.started)) == (254, RUNNING)
