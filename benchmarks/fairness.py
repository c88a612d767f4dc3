"""How long one picture waits while another tenant's 10,000 jobs do, and what a claim costs then.

A worker process with its sandbox and local storage. Every job is a small picture, the others' too, so all are of one
kind. Waiting is counted from the creation of the record to the claim, by the clock of Redis.

Reference: the goal, a p95 of 2 s beside normal jobs; for claims, the same with fewer waiting.
"""

from __future__ import annotations

import asyncio
import io
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import redis
from PIL import Image
from rich.progress import track

from benchmarks.fleets.ours import create_job, finish_job
from benchmarks.pairs import quantile
from mediafleet_core.events import StateChanged
from mediafleet_core.ledger import LedgerSettings, connect
from mediafleet_core.media_types import MediaKind
from mediafleet_core.uploads import Priority, State
from mediafleet_devserver.redis_server import redis_server
from tests.intakes import other_database
from tests.ledgers import LEASE
from tests.workers import BOB, Shop, open_shop, settings

SLOTS = 2
AT_ONCE = 32
SIGNING_KEY = "signing key of benchmarks"


def _picture(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.radial_gradient("L").resize((width, height)).convert("RGB").save(file, "JPEG")
    return file.getvalue()


async def _bring(shop: Shop, picture: bytes, count: int, priority: Priority) -> None:
    for first in track(range(0, count, AT_ONCE), f"{count:,} jobs of one tenant", transient=True):
        some = range(min(AT_ONCE, count - first))
        await asyncio.gather(
            *(shop.bring(picture, display_name="a.jpg", silently=True, priority=priority) for _ in some)
        )


@contextmanager
def _worker(shop: Shop, url: str, folder: Path) -> Iterator[None]:
    environment = {
        "MEDIAFLEET_LEDGER_URL": url,
        "MEDIAFLEET_BROKER_URL": other_database(url),
        "MEDIAFLEET_STORAGE": "local",
        "MEDIAFLEET_STORAGE_DIR": str(shop.settings.storage.storage_dir),
        "MEDIAFLEET_STORAGE_SIGNING_KEY": SIGNING_KEY,
        "MEDIAFLEET_SCRATCH_DIR": str(folder / "scratch"),
        "MEDIAFLEET_WORKER_SLOTS": str(SLOTS),
    }
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mediafleet_workers"], env=os.environ | environment, stdout=log, stderr=log
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait()


async def _waits(shop: Shop, picture: bytes, rounds: int, priority: Priority) -> tuple[list[float], int, int]:
    """Seconds that each of the other tenant's pictures waits; most jobs that were taken up before one; what is left."""
    waits, overtaken = [], 0
    for _ in track(range(rounds), f"{priority} pictures of another", transient=True):
        before = await shop.ledger.position()
        upload = await shop.bring(picture, display_name="b.jpg", tenant=BOB, priority=priority)
        done = await shop.reaches(upload.upload_id, State.SUCCEEDED, timeout=60)
        assert done.start_time is not None
        waits.append((done.start_time - done.create_time).total_seconds())
        entries = [entry for _, entry in await shop.ledger.read(before, limit=10_000)]
        changes = [entry for entry in entries if isinstance(entry, StateChanged)]
        mine = {entry.state: place for place, entry in enumerate(changes) if entry.upload_id == upload.upload_id}
        between = changes[mine[State.QUEUED] : mine[State.PROCESSING]]
        overtaken = max(overtaken, sum(entry.state is State.PROCESSING for entry in between))
    queues, _ = await shop.ledger.queues()
    left = next(queue.waiting for queue in queues if queue.kind is MediaKind.IMAGE)
    assert left > 0, "the backlog ended too soon"
    return waits, overtaken, left


async def _fairness(jobs: int, picture: bytes, theirs: Priority, mine: Priority, rounds: int) -> None:
    with TemporaryDirectory(prefix="mediafleet-bench-") as name, redis_server(Path(name, "redis")) as url:
        folder = Path(name)
        async with open_shop(settings(url, folder, storage_signing_key=SIGNING_KEY)) as shop:
            await _bring(shop, picture, jobs, theirs)
            with _worker(shop, url, folder):
                await _waits(shop, picture, 1, mine)  # until the worker is there
                waits, overtaken, left = await _waits(shop, picture, rounds, mine)
    click.echo(
        f"{mine.lower()} pictures while {jobs:,} {theirs.lower()} jobs of another tenant wait: "
        f"p50 {statistics.median(waits):.3f} s, p95 {quantile(waits, 95):.3f} s, most {max(waits):.3f} s; "
        f"jobs taken up before one: {overtaken} at most ({rounds} rounds, {left:,} jobs left)"
    )


def _cpu(client: redis.Redis) -> float:
    """Seconds that Redis has used so far."""
    used = client.info("cpu")
    return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


async def _claim_cost(tenants: int, each: int, claims: int = 500) -> None:
    with TemporaryDirectory(prefix="mediafleet-bench-") as folder, redis_server(Path(folder)) as url:
        ledger = await connect(LedgerSettings(ledger_url=url))
        for _ in track(range(each), f"{tenants} tenants", transient=True):
            for first in range(0, tenants, AT_ONCE):
                some = range(first, min(first + AT_ONCE, tenants))
                sessions = await asyncio.gather(*(create_job(ledger, f"tenant-{number}") for number in some))
                await asyncio.gather(*(finish_job(ledger, session) for session in sessions))
        with redis.Redis.from_url(url, protocol=2) as client:
            times, before = [], _cpu(client)
            for _ in range(claims):
                begun = time.perf_counter()
                assert await ledger.claim(list(MediaKind), "w", LEASE) is not None
                times.append((time.perf_counter() - begun) * 1000)
            cpu = (_cpu(client) - before) * 1000 / claims
        click.echo(
            f"A claim, {each:,} uploads waiting for each of {tenants:,} tenants: "
            f"p50 {statistics.median(times):.2f} ms, p99 {quantile(times, 99):.2f} ms, {cpu:.2f} ms of Redis' CPU"
        )
        await ledger.close()


@click.command(help=__doc__)
@click.option("--jobs", default=10_000, show_default=True, help="Jobs of the tenant with many.")
@click.option("--rounds", default=50, show_default=True, help="Pictures of the other tenant.")
def main(jobs: int, rounds: int) -> None:
    """What a claim costs, then how long pictures wait."""
    for tenants, each in ((1, 1_000), (1, 10_000), (1_000, 10)):
        asyncio.run(_claim_cost(tenants, each))
    asyncio.run(_fairness(jobs, _picture(160, 120), Priority.NORMAL, Priority.NORMAL, rounds))
    asyncio.run(_fairness(jobs // 10, _picture(1_600, 1_200), Priority.BULK, Priority.INTERACTIVE, rounds))


if __name__ == "__main__":
    main()
