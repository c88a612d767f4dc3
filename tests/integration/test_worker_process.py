"""The worker as a process of its own: a clean end, and what its violent end leaves to others."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from mediafleet_core.failures import MAX_LOST_LEASES, FailureCode
from mediafleet_core.media_types import MediaKind
from mediafleet_core.uploads import State
from mediafleet_devserver.redis_server import free_port, redis_server
from tests.guarding import guarded
from tests.processes import alive, children, descendants
from tests.waiting import eventually
from tests.workers import Shop, open_shop, settings, working

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def shop(redis_url: str, redis_client: Redis, tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_shop(settings(redis_url, tmp_path)) as opened:
        yield opened


def environment(shop: Shop) -> dict[str, str]:
    """What a worker of this shop is told."""
    return {
        "PYTHONPATH": str(ROOT),
        "MEDIAFLEET_LEDGER_URL": shop.settings.ledger.ledger_url,
        "MEDIAFLEET_BROKER_URL": shop.settings.queue.broker_url,
        "MEDIAFLEET_STORAGE": "local",
        "MEDIAFLEET_STORAGE_DIR": str(shop.settings.storage.storage_dir),
        "MEDIAFLEET_STORAGE_SIGNING_KEY": "signing key of tests",
        "MEDIAFLEET_SCRATCH_DIR": str(shop.settings.worker.scratch_dir),
        "MEDIAFLEET_WORKER_PLUGINS": "tests.poison",
        "MEDIAFLEET_JOB_LEASE": "PT1S",
    }


@contextmanager
def process(shop: Shop, **changed: str) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m mediafleet_workers`; gone at the end."""
    told = {**environment(shop), **changed}
    started = guarded(subprocess.Popen([sys.executable, "-m", "mediafleet_workers"], env=told))
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def probe(address: str, path: str) -> int | None:
    """The status of one probe; None without an answer in time."""
    try:
        with urllib.request.urlopen(f"http://{address}/{path}", timeout=1) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


async def test_sigterm_ends_it_cleanly_with_everything_it_started(shop: Shop) -> None:
    with process(shop) as worker:
        upload = await shop.bring(b"content")
        await shop.reaches(upload.upload_id, State.SUCCEEDED)
        family = descendants(worker.pid)
        worker.terminate()

        async def ended() -> bool:
            return worker.poll() is not None

        await eventually(ended)
        assert worker.returncode == 0
        assert not any(alive(pid) for pid in family)
        assert list(shop.settings.worker.scratch_dir.iterdir()) == []


async def test_after_sigkill_another_worker_does_the_job_and_removes_the_scratch(shop: Shop) -> None:
    upload = await shop.bring(b"POISON:hold\n")
    with process(shop) as worker:
        await shop.reaches(upload.upload_id, State.PROCESSING)

        async def at_work() -> bool:
            return len(descendants(worker.pid)) >= 2

        await eventually(at_work)
        family = descendants(worker.pid)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()

    async def gone() -> bool:
        return not any(alive(pid) for pid in family)

    await eventually(gone)
    assert shop.scratch_files() != []
    harmless = shop.settings.sandbox.model_copy(update={"worker_plugins": ()})
    async with working(shop.settings._replace(sandbox=harmless)):
        done = await shop.reaches(upload.upload_id, State.SUCCEEDED, State.FAILED)
    assert (done.state, done.attempt) == (State.SUCCEEDED, 1)
    assert shop.scratch_files() == []


@pytest.mark.long  # the sandbox's five ends in test_jobs.py and the ledger's own tests are for every day
async def test_a_file_that_kills_its_worker_each_time_fails_and_no_other_does(
    redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    lease = timedelta(milliseconds=600)
    elsewhere = settings(redis_url, tmp_path, worker_kinds=(MediaKind.IMAGE,), job_lease=lease)  # keeps the house
    async with open_shop(elsewhere) as shop, working(elsewhere):
        upload = await shop.bring(b"POISON:sleep\n")
        for _ in range(MAX_LOST_LEASES):
            with process(shop, MEDIAFLEET_JOB_LEASE="PT0.6S", MEDIAFLEET_WORKER_KINDS="OTHER") as worker:

                async def at_work() -> bool:
                    return len(descendants(worker.pid)) >= 2

                await shop.reaches(upload.upload_id, State.PROCESSING)
                await eventually(at_work)
                os.kill(worker.pid, signal.SIGKILL)
            await shop.reaches(upload.upload_id, State.QUEUED, State.FAILED)
        failed = await shop.reaches(upload.upload_id, State.FAILED)
        assert failed.failure is not None
        assert (failed.failure.code, failed.attempt) == (FailureCode.WORKER_CRASHED, 1)
        [record] = failed.failure.attempts
        assert record.evidence.startswith("lost 5 times; ")
        other = await shop.bring(b"words")
        with process(shop, MEDIAFLEET_WORKER_KINDS="OTHER"):
            await shop.reaches(other.upload_id, State.SUCCEEDED)


async def test_a_job_outlives_an_outage_of_redis(tmp_path: Path) -> None:
    port = free_port()
    with redis_server(tmp_path / "redis", port=port) as url:
        configured = settings(url, tmp_path)
    async with AsyncExitStack() as stack:
        with redis_server(tmp_path / "redis", port=port):
            shop = await stack.enter_async_context(open_shop(configured))
            worker = await stack.enter_async_context(working(configured))
            upload = await shop.bring(b"POISON:nap\n")

            async def at_work() -> list[int]:
                return children(worker.sandbox_pid or 0)

            await eventually(at_work)

        async def work_is_done() -> bool:
            return await at_work() == []

        await eventually(work_is_done)
        with redis_server(tmp_path / "redis", port=port):
            done = await shop.reaches(upload.upload_id, State.SUCCEEDED, State.FAILED)
            assert (done.state, done.attempt) == (State.SUCCEEDED, 1)
            await stack.aclose()


async def test_probes_tell_a_worker_that_drains_from_one_that_hangs(shop: Shop) -> None:
    metrics = f"127.0.0.1:{free_port()}"

    async def tells(*answers: int | None) -> bool:
        return [await asyncio.to_thread(probe, metrics, path) for path in ("livez", "readyz")] == list(answers)

    with process(shop, MEDIAFLEET_METRICS_ADDRESS=metrics) as worker:
        await eventually(lambda: tells(200, 200), 60, "the worker to be ready")
        upload = await shop.bring(b"POISON:hold\n")
        await shop.reaches(upload.upload_id, State.PROCESSING)
        worker.terminate()
        await eventually(lambda: tells(200, 503), 60, "the worker to drain")
        os.kill(worker.pid, signal.SIGSTOP)
        await eventually(lambda: tells(None, None), 60, "the worker to hang")


@pytest.mark.parametrize(
    ("variable", "value"), [("MEDIAFLEET_WORKER_KINDS", "PAPER"), ("MEDIAFLEET_STORAGE_SIGNING_KEY", "short")]
)
def test_wrong_settings_are_named(variable: str, value: str) -> None:
    told = {"MEDIAFLEET_STORAGE": "local", "MEDIAFLEET_STORAGE_DIR": "unused", variable: value}
    ended = subprocess.run(
        [sys.executable, "-m", "mediafleet_workers"], env=told, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert variable in ended.stderr
