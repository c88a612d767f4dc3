"""Jobs from the bell to the end they find, with a real Redis, a real folder and real children."""

from __future__ import annotations

import hashlib
import io
import os
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from mediafleet_core.failures import MAX_LOST_LEASES, FailureCode
from mediafleet_core.media_types import MediaKind
from mediafleet_core.uploads import Checksums, State, Upload
from mediafleet_workers.worker import WorkerProcess
from tests.pictures import scene
from tests.processes import children
from tests.waiting import eventually
from tests.workers import ANN, Shop, open_shop, settings, working

MIB = 1 << 20


@pytest.fixture
async def shop(redis_url: str, redis_client: Redis, tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_shop(settings(redis_url, tmp_path)) as opened:
        yield opened


@pytest.fixture
async def worker(shop: Shop) -> AsyncIterator[WorkerProcess]:
    async with working(shop.settings) as process:
        yield process


def jpeg(width: int, height: int) -> bytes:
    file = io.BytesIO()
    scene(width, height).save(file, "JPEG")
    return file.getvalue()


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def codes(upload: Upload) -> list[FailureCode]:
    assert upload.failure is not None
    return [attempt.code for attempt in upload.failure.attempts]


async def running_child(worker: WorkerProcess) -> int:
    async def found() -> list[int]:
        return children(worker.sandbox_pid or 0)

    return (await eventually(found, message="a child to run"))[0]


async def test_a_picture_becomes_renditions(shop: Shop, worker: WorkerProcess) -> None:
    content = jpeg(800, 600)
    upload = await shop.bring(content, display_name="a.jpg", content_type="image/jpeg")
    done = await shop.reaches(upload.upload_id, State.SUCCEEDED, State.FAILED)
    assert done.failure is None
    assert done.renditions
    assert done.checksums.sha256 == hashlib.sha256(content).hexdigest()
    for rendition in done.renditions:
        stored = b"".join([chunk async for chunk in shop.store.read(rendition.key)])
        assert (len(stored), hashlib.sha256(stored).hexdigest()) == (rendition.size_bytes, rendition.sha256)
    assert [timing.stage for timing in done.timings] == ["fetch", "process", "store"]
    used = {timing.stage: (timing.cpu_seconds > 0, timing.peak_memory > MIB) for timing in done.timings}
    assert used == {"fetch": (False, False), "process": (True, True), "store": (False, False)}

    async def manifest() -> bool:
        return "manifest.json" in await shop.objects(upload)

    await eventually(manifest)
    assert shop.scratch_files() == []


async def test_any_other_file_is_hashed_and_committed(shop: Shop, worker: WorkerProcess) -> None:
    upload = await shop.bring(b"words", content_type="text/plain", display_name="a.txt")
    done = await shop.reaches(upload.upload_id, State.SUCCEEDED, State.FAILED)
    assert (done.state, done.renditions) == (State.SUCCEEDED, ())
    assert done.checksums.sha256 == hashlib.sha256(b"words").hexdigest()


@pytest.mark.parametrize(
    ("deed", "expected"),
    [
        ("crash", [FailureCode.WORKER_CRASHED] * 2),
        ("hog", [FailureCode.OUT_OF_MEMORY] * 2),
        ("fail", [FailureCode.CORRUPT_MEDIA]),
        ("wonder", [FailureCode.INTERNAL] * 2),
    ],
)
async def test_a_file_that_breaks_its_decoder_fails_after_its_attempts(
    shop: Shop, worker: WorkerProcess, deed: str, expected: list[FailureCode]
) -> None:
    upload = await shop.bring(f"POISON:{deed}\n".encode())
    other = await shop.bring(b"healthy")
    assert codes(await shop.reaches(upload.upload_id, State.FAILED)) == expected
    await shop.reaches(other.upload_id, State.SUCCEEDED)
    assert shop.scratch_files() == []


async def test_a_file_that_never_ends_times_out(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    configured = settings(redis_url, tmp_path, job_time=timedelta(seconds=1))
    before = counted("mediafleet_job_cpu_seconds_count", kind="OTHER")
    failures = counted("mediafleet_job_failures_total", kind="OTHER", code="TIMED_OUT")
    jobs, attempts = (counted(f"mediafleet_job_attempts_{what}", kind="OTHER") for what in ("count", "sum"))
    async with open_shop(configured) as shop, working(configured):
        upload = await shop.bring(b"POISON:hold\n")
        failed = await shop.reaches(upload.upload_id, State.FAILED)
    assert codes(failed) == [FailureCode.TIMED_OUT] * 2
    # What both attempts used is measured, and kept where there is no success either.
    assert counted("mediafleet_job_cpu_seconds_count", kind="OTHER") == before + 2
    assert counted("mediafleet_job_peak_memory_bytes_sum", kind="OTHER") > 2 * MIB
    assert counted("mediafleet_job_failures_total", kind="OTHER", code="TIMED_OUT") == failures + 2
    assert counted("mediafleet_job_attempts_count", kind="OTHER") == jobs + 1
    assert counted("mediafleet_job_attempts_sum", kind="OTHER") == attempts + 2
    fetch, process = failed.timings
    assert (fetch.stage, process.stage) == ("fetch", "process")
    assert process.seconds > 2
    assert 0 < process.cpu_seconds < process.seconds
    assert process.peak_memory > MIB


async def kill_sandbox(worker: WorkerProcess) -> None:
    await running_child(worker)
    doomed = worker.sandbox_pid
    assert doomed is not None
    os.kill(doomed, signal.SIGKILL)

    async def noticed() -> bool:
        return worker.sandbox_pid != doomed

    await eventually(noticed)


async def test_who_runs_beside_a_file_that_ends_the_sandbox_loses_no_attempt(shop: Shop, worker: WorkerProcess) -> None:
    uploads = [await shop.bring(f"POISON:{deed}\n".encode()) for deed in ("nap", "sleep")]
    for upload in uploads:
        await shop.reaches(upload.upload_id, State.PROCESSING)
    await kill_sandbox(worker)
    done = await shop.reaches(uploads[0].upload_id, State.SUCCEEDED, State.FAILED)
    assert (done.state, done.attempt, done.failure) == (State.SUCCEEDED, 1, None)
    await shop.ledger.cancel(uploads[1].upload_id, ANN, "")


async def test_a_file_that_ends_the_sandbox_each_time_fails(shop: Shop, worker: WorkerProcess) -> None:
    crashes = counted("mediafleet_job_failures_total", kind="OTHER", code="WORKER_CRASHED")
    upload = await shop.bring(b"POISON:sleep\n")
    for _ in range(MAX_LOST_LEASES):
        await kill_sandbox(worker)
    failed = await shop.reaches(upload.upload_id, State.FAILED)

    async def blamed() -> bool:
        return counted("mediafleet_job_failures_total", kind="OTHER", code="WORKER_CRASHED") == crashes + 1

    await eventually(blamed)
    assert codes(failed) == [FailureCode.WORKER_CRASHED]
    assert failed.failure is not None
    assert failed.failure.attempts[0].evidence.count("in process") == MAX_LOST_LEASES
    assert shop.scratch_files() == []


async def test_bytes_that_changed_in_storage_fail(shop: Shop, worker: WorkerProcess) -> None:
    upload = await shop.bring(b"as received", stored=b"as damaged!")
    failed = await shop.reaches(upload.upload_id, State.FAILED)
    assert codes(failed) == [FailureCode.STORED_OBJECT_CORRUPT] * 2


@pytest.mark.parametrize("declared", [{"checksums": Checksums(sha256="0" * 64)}, {"finish_sha256": "0" * 64}])
async def test_bytes_that_are_not_what_was_declared_fail_and_are_discarded(
    shop: Shop, worker: WorkerProcess, declared: dict[str, Any]
) -> None:
    upload = await shop.bring(b"content", **declared)
    failed = await shop.reaches(upload.upload_id, State.FAILED)
    assert codes(failed) == [FailureCode.OBJECT_CHECKSUM_MISMATCH]
    assert (await shop.ledger.usage(ANN)).total.size == 0

    async def gone() -> bool:
        return await shop.objects(upload) == []

    await eventually(gone)


async def test_an_original_that_is_gone_fails(shop: Shop) -> None:
    upload = await shop.bring(b"content")
    await shop.store.delete([upload.original_key])
    async with working(shop.settings):
        assert codes(await shop.reaches(upload.upload_id, State.FAILED)) == [FailureCode.ORIGINAL_MISSING]


@pytest.mark.parametrize("deed", ["hold", "spin", "sleep"])
async def test_a_cancelled_job_leaves_nothing(shop: Shop, worker: WorkerProcess, deed: str) -> None:
    upload = await shop.bring(f"POISON:{deed}\n".encode())
    await running_child(worker)
    await shop.ledger.cancel(upload.upload_id, ANN, "enough")
    cancelled = await shop.reaches(upload.upload_id, State.CANCELLED)
    assert cancelled.timings[-1].peak_memory > MIB
    assert children(worker.sandbox_pid or 0) == []
    assert shop.scratch_files() == []
    assert await shop.objects(upload) == [upload.original_key.rpartition(f"{upload.upload_id}/")[2]]


async def test_a_job_whose_lease_was_lost_changes_nothing(shop: Shop, worker: WorkerProcess) -> None:
    upload = await shop.bring(b"POISON:sleep\n")
    await running_child(worker)
    labels = {"kind": "OTHER", "outcome": "lost"}
    before = counted("mediafleet_jobs_finished_total", **labels)
    running = await shop.ledger.get(upload.upload_id)
    taken = await shop.ledger.release(upload.upload_id, running.fence)  # as if the lease had ended
    assert taken is not None

    async def noticed() -> bool:
        return counted("mediafleet_jobs_finished_total", **labels) > before

    await eventually(noticed)
    assert "r/" not in " ".join(await shop.objects(upload))


async def test_a_drain_gives_running_jobs_back_without_counting_an_attempt(
    redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    configured = settings(redis_url, tmp_path, worker_grace=timedelta(seconds=0.3))
    async with open_shop(configured) as shop:
        async with working(configured) as worker:
            upload = await shop.bring(b"POISON:hold\n")
            await running_child(worker)
            await worker.drain()
            assert worker.sandbox_pid is not None
            assert children(worker.sandbox_pid) == []
        given_back = await shop.ledger.get(upload.upload_id)
        assert (given_back.state, given_back.failure) == (State.QUEUED, None)
        assert shop.scratch_files() == []


async def test_a_drain_lets_a_short_job_finish(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    configured = settings(redis_url, tmp_path, worker_grace=timedelta(seconds=60))
    async with open_shop(configured) as shop, working(configured) as worker:
        upload = await shop.bring(jpeg(3000, 2000), display_name="a.jpg", content_type="image/jpeg")
        await shop.reaches(upload.upload_id, State.PROCESSING, State.SUCCEEDED)
        await worker.drain()
        await shop.reaches(upload.upload_id, State.SUCCEEDED)


async def test_a_bell_that_finds_nothing_is_counted(shop: Shop, worker: WorkerProcess) -> None:
    before = counted("mediafleet_duplicate_deliveries_total")
    shop.queue.ring(MediaKind.VIDEO)

    async def heard() -> bool:
        return counted("mediafleet_duplicate_deliveries_total") > before

    await eventually(heard)
