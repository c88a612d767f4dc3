"""The fleet's figures on metrics pages: true, on one page only, and honest while Redis is away."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest
from redis.asyncio import Redis

from mediafleet_core.batches import BatchSpec
from mediafleet_core.identity import new_batch_id
from mediafleet_core.media_types import MediaKind
from mediafleet_core.object_keys import ROOT
from mediafleet_core.telemetry.metrics import Address
from mediafleet_core.uploads import State
from mediafleet_devserver.redis_server import free_port, redis_server
from mediafleet_workers.bootstrap import Settings
from tests.books import uploads_of
from tests.guarding import guarded
from tests.pages import Samples, key, page
from tests.processes import children
from tests.waiting import eventually, wait_until
from tests.workers import ANN, BOB, Shop, open_shop, settings, working

TICK = timedelta(milliseconds=50)
UP = key("mediafleet_redis_up")
LAST_SUCCESS = key("mediafleet_queue_exporter_last_success_timestamp_seconds")
WAITING = key("mediafleet_queue_messages", queue="other", state="waiting")


@pytest.fixture
async def shop(redis_url: str, redis_client: Redis, tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_shop(settings(redis_url, tmp_path, figures_interval=TICK)) as opened:
        yield opened


async def read_since(address: Address | None, moment: float) -> Samples:
    """The page, with figures that were read later than `moment`."""

    async def fresh() -> Samples | None:
        samples = await page(address)
        return samples if samples.get(LAST_SUCCESS, 0) > moment and WAITING in samples else None

    found = await eventually(fresh, message="fresh figures")
    assert found is not None
    return found


def by_label(samples: Samples, name: str, label: str) -> Counter[str]:
    """What a metric says, summed by one of its labels."""
    found: Counter[str] = Counter()
    for (metric, labels), value in samples.items():
        if metric == name:
            found[dict(labels)[label]] += int(value)
    return +found


async def test_figures_are_what_the_ledger_and_the_storage_hold(shop: Shop, redis_client: Redis) -> None:
    await shop.ledger.pause(MediaKind.VIDEO)
    await shop.ledger.create_batch(new_batch_id(), ANN, BatchSpec())
    async with working(shop.settings) as worker:
        good = [await shop.bring(b"words" * size, tenant=tenant) for size in (1, 2) for tenant in (ANN, BOB)]
        bad = await shop.bring(b"POISON:fail\n")
        at_work = await shop.bring(b"POISON:sleep\n")
        waiting = await shop.bring(b"a film", content_type="video/mp4")
        for upload in good:
            await shop.reaches(upload.upload_id, State.SUCCEEDED)
        await shop.reaches(bad.upload_id, State.FAILED)
        await shop.reaches(at_work.upload_id, State.PROCESSING)

        async def swept() -> bool:
            return not await redis_client.exists("mf:manifests")

        await eventually(swept, message="every manifest to be written")
        seconds, microseconds = await redis_client.time()
        samples = await read_since(worker.metrics_address, seconds + microseconds / 1e6)
        records = [each for tenant in (ANN, BOB) for each in await uploads_of(shop.ledger, tenant)]
        states = Counter(str(each.state) for each in records)
        assert by_label(samples, "mediafleet_uploads", "state") == states
        assert states == {"SUCCEEDED": 4, "FAILED": 1, "PROCESSING": 1, "QUEUED": 1}
        assert by_label(samples, "mediafleet_batches", "state") == {"OPEN": 1}
        assert by_label(samples, "mediafleet_queue_paused", "queue") == {"video": 1}
        messages = {
            tuple(sorted(dict(labels).values())): value
            for (name, labels), value in samples.items()
            if name == "mediafleet_queue_messages" and value
        }
        assert messages == {("dead", "other"): 1, ("claimed", "other"): 1, ("video", "waiting"): 1}
        assert len([name for name, _ in samples if name == "mediafleet_queue_messages"]) == len(MediaKind) * 4
        since = samples[key("mediafleet_queue_oldest_enqueued_timestamp_seconds", queue="video")]
        queued_at = await redis_client.zscore("mf:waiting:VIDEO", waiting.upload_id)
        assert queued_at is not None
        assert since == pytest.approx(queued_at / 1000)
        stored = [each async for each in shop.store.list(ROOT) if not each.key.endswith("manifest.json")]
        assert by_label(samples, "mediafleet_usage_bytes", "object") == {"original": sum(each.size for each in stored)}
        assert by_label(samples, "mediafleet_usage_objects", "object") == {"original": len(stored)}
        assert samples[UP] == 1
        assert samples[key("mediafleet_redis_aof_fsync_always")] == 1
        assert samples[key("mediafleet_redis_keys", db="0")] > 0


@contextmanager
def housekeeper(configured: Settings, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process that works on nothing and keeps house, with its page at that port."""
    told = {
        "MEDIAFLEET_LEDGER_URL": configured.ledger.ledger_url,
        "MEDIAFLEET_BROKER_URL": configured.queue.broker_url,
        "MEDIAFLEET_STORAGE": "local",
        "MEDIAFLEET_STORAGE_DIR": str(configured.storage.storage_dir),
        "MEDIAFLEET_STORAGE_SIGNING_KEY": "signing key of tests",
        "MEDIAFLEET_SCRATCH_DIR": str(configured.worker.scratch_dir),
        "MEDIAFLEET_WORKER_KINDS": "",
        "MEDIAFLEET_METRICS_ADDRESS": f"127.0.0.1:{port}",
        "MEDIAFLEET_HOUSEKEEPING_INTERVAL": "100ms",
        "MEDIAFLEET_HOUSEKEEPING_LEASE": "1s",
        "MEDIAFLEET_FIGURES_INTERVAL": "100ms",
    }
    process = guarded(subprocess.Popen([sys.executable, "-m", "mediafleet_workers"], env=told))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def has(port: int, metric: bytes) -> bool:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return b"\n" + metric in answer.read()


def test_one_page_has_the_figures_whoever_leads(redis_url: str, tmp_path: Path) -> None:
    configured = settings(redis_url, tmp_path)
    ports = free_port(), free_port()
    with housekeeper(configured, ports[0]) as first, housekeeper(configured, ports[1]) as second:

        def leader() -> int | None:
            """The port of who shows the figures, once both answer."""
            try:
                found = [port for port in ports if has(port, b"mediafleet_queue_messages{")]
            except OSError:
                return None
            assert len(found) < 2
            return found[0] if found else None

        led = wait_until(leader, 60, "a leader")
        [other] = set(ports) - {led}
        paused, successor = (first, second) if led == ports[0] else (second, first)
        assert children(successor.pid) == []  # it needs no sandbox
        paused.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: has(other, b"mediafleet_queue_messages{"), 60, "the other one to lead")
        finally:
            paused.send_signal(signal.SIGCONT)
        assert leader() in (None, other)
        wait_until(lambda: not has(led or 0, b"mediafleet_redis_up "), 60, "the one that was paused to follow")
        assert wait_until(leader, 60, "one leader") == other
        successor.terminate()
        assert successor.wait(60) == 0


async def test_a_redis_that_is_away_is_told_and_nothing_else(tmp_path: Path) -> None:
    port = free_port()
    async with AsyncExitStack() as stack:
        with redis_server(tmp_path / "redis", port=port) as url:
            configured = settings(url, tmp_path, figures_interval=TICK, housekeeping_lease=timedelta(seconds=0.4))
            await stack.enter_async_context(open_shop(configured))
            worker = await stack.enter_async_context(working(configured))
            samples = await read_since(worker.metrics_address, 0)

        async def away() -> Samples | None:
            found = await page(worker.metrics_address)
            return found if found.get(UP) == 0 else None

        found = await eventually(away, message="the page to say that Redis is away")
        assert found is not None
        assert found[LAST_SUCCESS] >= samples[LAST_SUCCESS]
        assert not [name for name, _ in found if name in ("mediafleet_queue_messages", "mediafleet_uploads")]
        with redis_server(tmp_path / "redis", port=port):
            samples = await read_since(worker.metrics_address, found[LAST_SUCCESS])
            assert samples[UP] == 1
            await stack.aclose()
