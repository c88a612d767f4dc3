"""How long a cancel takes to end a batch of thousands, and that nothing of it starts afterwards.

An integration test does the same with a smaller batch.

Reference: the goal, 5 s for 5,000 waiting and 20 running members.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click

from mediafleet import AsyncClient, BatchReportRow, BatchState, UploadState
from tests.e2e.dev_server import dev_server
from tests.waiting import eventually

ROOT = Path(__file__).parents[1]
QUEUE = "other"
AT_ONCE = 16


class Cancelled(NamedTuple):
    """Seconds until CancelBatch answered and until the batch was CANCELLED; rows of members that ever started."""

    answered: float
    ended: float
    started: list[BatchReportRow]
    rows: int


async def cancel_batch(client: AsyncClient, admin: AsyncClient, *, waiting: int, running: int) -> Cancelled:
    """Cancels a batch when so many members run and so many wait.

    The fleet has as many slots for the queue as shall run, and knows the poison of the tests.
    """
    batch = await client.batches.create("to be cancelled", expected_items=waiting + running)

    async def send(contents: Iterable[bytes]) -> None:
        async for outcome in client.upload_many(contents, at_once=AT_ONCE, batch_id=batch.batch_id):
            assert outcome.upload, outcome.error

    async def full() -> bool:
        counts = (await client.batches.get(batch.batch_id)).progress.counts
        return (counts.processing, counts.queued) == (running, waiting)

    await admin.pause_queue(QUEUE, reason="until all wait")
    await send(b"POISON:sleep\n%d" % number for number in range(running))
    await send(b"waits %d" % number for number in range(waiting))
    await admin.resume_queue(QUEUE)
    await eventually(full, 60, "every slot to be taken")

    start = time.perf_counter()
    await client.batches.cancel(batch.batch_id, reason="measured")
    answered = time.perf_counter() - start
    done = await client.batches.wait(batch.batch_id, timeout=60)
    ended = time.perf_counter() - start
    assert done.state == BatchState.BATCH_STATE_CANCELLED
    assert done.progress.counts.cancelled == waiting + running

    # The workers are at work again: what they could have started of the batch, they would have.
    for number in range(2 * running):
        other = await client.upload(b"another %d" % number, wait=True)
        assert other.state == UploadState.UPLOAD_STATE_SUCCEEDED
    rows = [row async for row in client.batches.report(batch.batch_id)]
    assert {row.state for row in rows} == {UploadState.UPLOAD_STATE_CANCELLED}
    return Cancelled(answered, ended, [row for row in rows if row.HasField("start_time")], len(rows))


async def _measure(target: str, token: str, admin_token: str, waiting: int, running: int) -> Cancelled:
    async with AsyncClient(target, token=token) as client, AsyncClient(target, token=admin_token) as admin:
        return await cancel_batch(client, admin, waiting=waiting, running=running)


@click.command(help=__doc__)
@click.option("--waiting", default=5000, show_default=True, help="Members that wait.")
@click.option("--running", default=20, show_default=True, help="Members that run.")
@click.option("--rounds", default=3, show_default=True, help="Batches, one after the other.")
def main(waiting: int, running: int, rounds: int) -> None:
    """Print the seconds of each round."""
    environment = {
        "MEDIAFLEET_WORKER_PLUGINS": "tests.poison",
        "PYTHONPATH": str(ROOT),
        "MEDIAFLEET_WORKER_SLOTS": str(running),
    }
    with (
        TemporaryDirectory(prefix="mediafleet-bench-") as folder,
        dev_server(Path(folder) / "data", environment=environment) as server,
    ):
        for _ in range(rounds):
            admin_token = str(server.endpoints["admin_token"])
            went = asyncio.run(_measure(server.gateway, server.token, admin_token, waiting, running))
            click.echo(
                f"{went.rows} members, {running} running: CancelBatch answered after {went.answered:.2f} s, "
                f"all terminal after {went.ended:.2f} s; started ever: {len(went.started)}"
            )


if __name__ == "__main__":
    main()
