"""A fleet at work: how many jobs a second it ends, how soon an idle one starts a job, what a job costs it."""

from __future__ import annotations

import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TypeAlias

import redis

from benchmarks.fleets.body import STARTS
from benchmarks.servers import cpu_of
from mediafleet_devserver.redis_server import redis_server
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
"""Seconds that the jobs of one round may take."""

Settled: TypeAlias = Callable[["redis.Redis", int], bool]
"""Whether so many jobs have ended, in all; told by the fleet's own Redis."""


class Fleet:
    """A sender, workers, and a Redis of their own (`appendfsync always`)."""

    def __init__(self, stack: ExitStack, folder: Path, module: str, settled: Settled) -> None:
        """Nothing but Redis runs yet."""
        folder.mkdir()
        self._stack, self._folder, self._module, self._settled = stack, folder, module, settled
        self.url = stack.enter_context(redis_server(folder / "redis"))
        self.redis = stack.enter_context(redis.Redis.from_url(self.url, protocol=2, decode_responses=True))
        self._starts = folder / "starts"
        self._starts.touch()
        self._log = stack.enter_context((folder / "log").open("wb"))
        self._sender: subprocess.Popen[str] | None = None
        self._workers: list[subprocess.Popen[str]] = []
        self._jobs = 0

    def start(
        self,
        python: str = sys.executable,
        *,
        processes: int = 1,
        slots: int = 8,
        environment: Mapping[str, str] | None = None,
    ) -> Fleet:
        """With workers that have done a first job."""
        variables = {**os.environ, **(environment or {}), STARTS: str(self._starts), "PYTHONPATH": str(ROOT)}
        command = [python, "-m", self._module]
        self._sender = self._process([*command, "send", self.url, "0"], variables, subprocess.PIPE)
        for _ in range(processes):
            self._workers.append(self._process([*command, "work", self.url, str(slots)], variables, self._log))
        self._send(1)
        self._done()
        return self

    def rate(self, jobs: int) -> float:
        """Jobs per second, from before the first is sent until the last has ended."""
        begun = self._send(jobs)
        self._done()
        return jobs / (time.monotonic() - begun)

    def latency(self, pause: float) -> float:
        """Milliseconds from before one job is sent until its body starts, after about `pause` seconds of nothing."""
        time.sleep(pause * random.uniform(0.8, 1.2))  # at any moment of whatever rhythm the workers have
        begun = self._send(1)
        self._done()
        return (self._begun()[-1] - begun) * 1000

    def cpu(self, jobs: int) -> float:
        """CPU milliseconds of the workers for each of so many jobs, their children's among them."""
        before = sum(cpu_of(worker.pid) for worker in self._workers)
        self.rate(jobs)
        return (sum(cpu_of(worker.pid) for worker in self._workers) - before) * 1000 / jobs

    def _send(self, count: int) -> float:
        assert self._sender is not None
        assert self._sender.stdin is not None
        assert self._sender.stdout is not None
        self._jobs += count
        self._sender.stdin.write(f"{count}\n")
        self._sender.stdin.flush()
        return float(self._sender.stdout.readline())

    def _done(self) -> None:
        try:
            wait_until(self._all_ended, PATIENCE, f"{self._jobs} jobs to end")
        except AssertionError as late:
            late.add_note((self._folder / "log").read_text()[-1_000:])
            raise
        assert len(self._begun()) == self._jobs, "a job was done twice"

    def _all_ended(self) -> bool:
        return self._starts.stat().st_size >= self._jobs * 8 and self._settled(self.redis, self._jobs)

    def _begun(self) -> list[float]:
        return [start for (start,) in struct.iter_unpack("d", self._starts.read_bytes())]

    def _process(
        self, command: Sequence[str], variables: Mapping[str, str], output: int | IO[bytes]
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command,
            env=variables,
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=self._log,
            text=True,
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.send_signal, signal.SIGTERM)
        return process


@contextmanager
def fleets() -> Iterator[Callable[[str, Settled], Fleet]]:
    """Makes fleets of a module of this package; they end with the block."""
    with TemporaryDirectory(prefix="mediafleet-bench-") as name, ExitStack() as stack:
        folder = Path(name)

        def made(module: str, settled: Settled) -> Fleet:
            number = len(list(folder.iterdir()))
            return Fleet(stack, folder / str(number), f"benchmarks.fleets.{module}", settled)

        yield made
