"""A real `mediafleet dev` as a subprocess, for tests that kill and count."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from mediafleet_devserver.redis_server import free_port
from tests.waiting import wait_until

READY_WITHIN = 60.0
"""Seconds, for a machine that is busy with other tests."""

ROOT = Path(__file__).parents[1]


class RunningDevServer(NamedTuple):
    """A dev server that is ready: its process, its data directory and its log."""

    process: subprocess.Popen[bytes]
    data_dir: Path
    log: Path

    @property
    def endpoints(self) -> dict[str, Any]:
        """`endpoints.json` as it stands now."""
        document: dict[str, Any] = json.loads((self.data_dir / "endpoints.json").read_text())
        return document

    @property
    def gateway(self) -> str:
        """host:port of the first gateway."""
        return str(self.endpoints["gateways"][0])

    @property
    def token(self) -> str:
        """A token of the tenant `demo`, without admin scope."""
        return str(self.endpoints["token"])

    def pid(self, name: str) -> int:
        """The present pid of a child."""
        return int(self.endpoints["pids"][name])

    def kill(self, name: str) -> int:
        """SIGKILL a child; returns the pid that it had."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_for_restart(self, name: str, old: int) -> None:
        """Until the child has another pid."""
        wait_until(lambda: self.pid(name) != old, 20, f"{name} to be started again")


@contextmanager
def dev_server(
    data_dir: Path, *flags: str, environment: Mapping[str, str] | None = None
) -> Iterator[RunningDevServer]:
    """A dev server on free ports, ready to use; ended by SIGTERM, and then it must leave with 0."""
    log = data_dir.with_suffix(".log")
    command = [sys.executable, "-m", "mediafleet.cli", "dev", "--data-dir", str(data_dir)]
    if "--gateway-port" not in flags:
        command += ["--gateway-port", str(free_port())]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*command, *flags], stdout=output, stderr=output, cwd=ROOT, env={**os.environ, **(environment or {})}
        )
    running = RunningDevServer(process, data_dir, log)
    try:
        wait_until(
            lambda: process.poll() is not None or (data_dir / "endpoints.json").exists(), READY_WITHIN, "endpoints.json"
        )
        assert process.poll() is None, log.read_text()
        yield running
        process.terminate()
        assert process.wait(30) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
