"""The sandbox holds what misbehaves, says why it ended, and goes on with the next job."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from mediafleet_core.failures import FailureCode, ProcessingError
from mediafleet_workers.sandbox.sandbox import Killed, Sandbox, SandboxLost, SandboxUnavailable
from mediafleet_workers.sandbox.settings import SandboxSettings
from tests.processes import alive, children, descendants, environ
from tests.waiting import eventually, wait_until

MIB = 1 << 20
ENTRY = "tests.poison:act"
ROOT = Path(__file__).parents[2]


def new_sandbox(**settings: object) -> Sandbox:
    budget = {"job_memory": 128 * MIB, "job_time": timedelta(seconds=30), **settings}
    return Sandbox(SandboxSettings.model_validate(budget), ENTRY, preload=("tests.poison",))


@pytest.fixture
async def sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Sandbox]:
    monkeypatch.setenv("R2_SECRET_ACCESS_KEY", "not for children")
    box = new_sandbox()
    await box.start(tmp_path, strict=True)
    yield box
    await box.close()


async def do(sandbox: Sandbox, folder: Path, word: str) -> bytes:
    return await sandbox.run(folder, word.encode(), lambda _: None)


async def test_a_job_reports_and_leaves_files_in_its_folder(sandbox: Sandbox, tmp_path: Path) -> None:
    heard: list[bytes] = []
    assert await sandbox.run(tmp_path, b"hello", heard.append) == b'"hello"'
    assert heard == [b'"started"']
    assert (tmp_path / "out").read_text() == "hello"


@pytest.mark.parametrize(
    ("deed", "code", "evidence"),
    [
        ("crash", FailureCode.WORKER_CRASHED, "SIGSEGV"),
        ("hog", FailureCode.OUT_OF_MEMORY, "MemoryError"),
        ("gorge", FailureCode.OUT_OF_MEMORY, "SIGKILL"),
        ("fail", FailureCode.CORRUPT_MEDIA, "exit 0"),
        ("wonder", FailureCode.INTERNAL, "ZeroDivisionError"),
        ("shout", FailureCode.WORKER_CRASHED, "a frame of 4294967295 bytes"),
        ("babble", FailureCode.WORKER_CRASHED, "an unknown frame"),
        ("chatter", FailureCode.WORKER_CRASHED, "more than"),
        ("leave", FailureCode.WORKER_CRASHED, "said nothing"),
    ],
)
async def test_a_misbehaving_job_fails_with_its_code_and_the_next_one_is_fine(
    sandbox: Sandbox, tmp_path: Path, deed: str, code: FailureCode, evidence: str
) -> None:
    with pytest.raises(ProcessingError) as failure:
        await do(sandbox, tmp_path, deed)
    assert failure.value.code is code
    assert evidence in failure.value.evidence
    assert sandbox.pid is not None
    assert children(sandbox.pid) == []
    assert await do(sandbox, tmp_path, "hello") == b'"hello"'


@pytest.mark.parametrize("deed", ["spin", "hold", "quiet", "sleep"])
async def test_a_job_past_its_time_is_ended(tmp_path: Path, deed: str) -> None:
    sandbox = new_sandbox(job_time=timedelta(seconds=1))
    await sandbox.start(tmp_path, strict=True)
    try:
        with pytest.raises(Killed) as failure:
            await do(sandbox, tmp_path, deed)
        assert failure.value.code is FailureCode.TIMED_OUT
        assert "SIGKILL, peak" in failure.value.evidence
        assert sandbox.pid is not None
        assert children(sandbox.pid) == []
        assert await do(sandbox, tmp_path, "hello") == b'"hello"'
    finally:
        await sandbox.close()


async def test_the_start_takes_its_time_however_short_that_of_a_job_is(tmp_path: Path) -> None:
    sandbox = new_sandbox(job_time=timedelta(milliseconds=1))
    try:
        await sandbox.start(tmp_path, strict=True)
    finally:
        await sandbox.close()


async def test_a_job_past_its_cpu_time_is_ended(tmp_path: Path) -> None:
    sandbox = new_sandbox(job_cpu=timedelta(seconds=1))
    try:
        with pytest.raises(Killed) as failure:
            await do(sandbox, tmp_path, "hold")
        assert failure.value.code is FailureCode.TIMED_OUT
    finally:
        await sandbox.close()


@pytest.mark.parametrize("deed", ["spin", "hold", "sleep"])
async def test_a_cancelled_job_is_dead_and_reaped_when_the_cancel_returns(
    sandbox: Sandbox, tmp_path: Path, deed: str
) -> None:
    started = asyncio.Event()
    job = asyncio.create_task(sandbox.run(tmp_path, deed.encode(), lambda _: started.set()))
    await started.wait()
    assert sandbox.pid is not None
    [child] = children(sandbox.pid)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert not alive(child)
    assert children(sandbox.pid) == []


async def test_nothing_leads_out(sandbox: Sandbox, tmp_path: Path) -> None:
    assert await do(sandbox, tmp_path, "escapes") == b"[]"
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - pathlib is refused in async code


async def test_a_running_neighbours_folder_is_out_of_reach(sandbox: Sandbox, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
        (folder / "original").write_text("a secret")
    neighbour = asyncio.create_task(do(sandbox, theirs, "sleep"))
    await do(sandbox, ours, f"read {ours / 'original'}")
    for path in (theirs / "original", "../theirs/original", "/proc/self/root" + str(theirs / "original")):
        with pytest.raises(ProcessingError) as failure:
            await do(sandbox, ours, f"read {path}")
        assert failure.value.code is FailureCode.WORKER_CRASHED
        assert "PermissionError" in failure.value.evidence
    assert not neighbour.done()
    neighbour.cancel()
    await asyncio.wait([neighbour])


async def test_a_child_knows_nothing_of_the_workers_environment(sandbox: Sandbox, tmp_path: Path) -> None:
    environment = await do(sandbox, tmp_path, "environ")
    assert b"not for children" not in environment
    assert b"PATH" not in environment
    assert sandbox.pid is not None
    assert "R2_SECRET_ACCESS_KEY" not in environ(sandbox.pid)


async def test_jobs_run_beside_a_stuck_one(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "stuck").mkdir()
    stuck = asyncio.create_task(do(sandbox, tmp_path / "stuck", "hold"))
    for word in ("one", "two"):
        assert await do(sandbox, tmp_path, word) == f'"{word}"'.encode()
    stuck.cancel()
    await asyncio.wait([stuck])


async def test_a_lost_zygote_is_replaced(sandbox: Sandbox, tmp_path: Path) -> None:
    job = asyncio.create_task(do(sandbox, tmp_path, "hold"))
    zygote = sandbox.pid
    assert zygote is not None
    [child] = await asyncio.to_thread(wait_until, lambda: children(zygote))
    os.kill(zygote, signal.SIGKILL)
    with pytest.raises(SandboxLost):
        await job
    await asyncio.to_thread(wait_until, lambda: not alive(child), message="the child to die with the zygote")
    assert await do(sandbox, tmp_path, "hello") == b'"hello"'


async def test_jobs_that_find_the_zygote_lost_at_once_share_the_next(tmp_path: Path) -> None:
    sandbox = new_sandbox()
    await sandbox.start(tmp_path, strict=True)
    before = set(children(os.getpid()))
    assert sandbox.pid is not None
    os.kill(sandbox.pid, signal.SIGKILL)

    async def noticed() -> bool:
        return sandbox.pid is None

    await eventually(noticed)
    assert await asyncio.gather(*(do(sandbox, tmp_path, "hello") for _ in range(3))) == [b'"hello"'] * 3
    assert set(children(os.getpid())) - before == {sandbox.pid}
    await sandbox.close()
    assert set(children(os.getpid())) <= before


async def test_a_plugin_that_cannot_be_loaded_stops_the_start(tmp_path: Path) -> None:
    sandbox = new_sandbox(worker_plugins="no_such_module")
    with pytest.raises(SandboxUnavailable):
        await sandbox.start(tmp_path, strict=False)
    await sandbox.close()


async def test_a_kernel_without_locks_is_no_place_for_production(tmp_path: Path) -> None:
    sandbox = new_sandbox(worker_plugins="tests.bare_kernel")
    with pytest.raises(SandboxUnavailable) as failure:
        await sandbox.start(tmp_path, strict=True)
    await sandbox.close()
    for lacking in ("Landlock", "seccomp", "it reads files that are not its own", "it opens sockets"):
        assert lacking in str(failure.value)


async def test_a_kernel_without_locks_is_named_at_the_start_of_development(tmp_path: Path) -> None:
    sandbox = new_sandbox(worker_plugins="tests.bare_kernel")
    with capture_logs() as logs:
        await sandbox.start(tmp_path, strict=False)
    [told] = [entry for entry in logs if entry["event"] == "sandbox_incomplete"]
    assert told["log_level"] == "warning"
    assert {"Landlock", "seccomp"} <= {lacking.partition(" ")[0] for lacking in told["lacking"]}
    assert await do(sandbox, tmp_path, "hello") == b'"hello"'
    await sandbox.close()


WORKER = f"""
import asyncio, sys
from pathlib import Path
from typing import Any
from mediafleet_workers.sandbox.sandbox import Sandbox
from mediafleet_workers.sandbox.settings import SandboxSettings

async def main():
    sandbox = Sandbox(SandboxSettings(), {ENTRY!r}, preload=("tests.poison",))
    await sandbox.run(Path(sys.argv[1]), b"hold", lambda _: print("started", flush=True))

asyncio.run(main())
"""


def test_nothing_survives_the_sigkill_of_the_worker(tmp_path: Path) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path)], stdout=subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}, text=True
    )
    with worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "started\n"
        family = descendants(worker.pid)
        assert len(family) == 2, "a zygote and its child"
        worker.kill()
    wait_until(lambda: not any(alive(pid) for pid in family), message="zygote and child to end")


async def test_a_zygote_that_is_killed_before_it_is_told_anything_is_a_lost_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.kill()
            self.wait()

    sandbox = new_sandbox()
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", Ended)
        with pytest.raises(SandboxLost):
            await do(sandbox, tmp_path, "hello")

    async def noticed() -> bool:
        return sandbox.pid is None

    await eventually(noticed)
    assert await do(sandbox, tmp_path, "hello") == b'"hello"'
    await sandbox.close()
