"""Gateways and workers in processes of their own, on one Redis and one folder, to be killed, ended and replaced."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as BrokenError

from mediafleet_core.media_types import MediaKind
from mediafleet_devserver.redis_server import await_redis, free_port, redis_command
from mediafleet_gateway.auth import Scope
from mediafleet_gateway.tokens import issue
from tests.forgetting import log_of
from tests.guarding import guarded
from tests.intakes import other_database
from tests.processes import alive, descendants
from tests.waiting import wait_until

ROOT = Path(__file__).parents[1]
KEY = "a key for tests only, 32 bytes or more"
GATEWAY, WORKER = "gateway", "worker"

_EACH = 2
"""So many of each role: while one is away, another goes on."""


class Member(NamedTuple):
    """A process, and the address where it listens once it is ready."""

    role: str
    process: subprocess.Popen[bytes]
    address: str


def product(role: str) -> Sequence[str]:
    """What an operator starts."""
    return (sys.executable, "-m", f"mediafleet_{role}" if role == GATEWAY else "mediafleet_workers")


class Fleet:
    """Redis, two gateways and two workers; whoever is dead is replaced by `mend`."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str] | None = None,
        command: Callable[[str], Sequence[str]] = product,
    ) -> None:
        """Begins to run; `wait` tells when all do. `settings` are variables of every process that is started."""
        self.folder = folder
        self.fallen: list[str] = []
        """Roles of those that `mend` replaced."""
        self.settings, self._command = dict(settings or {}), command
        self._port = free_port()
        self._redis: subprocess.Popen[bytes] | None = None
        (folder / "redis").mkdir()
        self.mend_redis()
        self.members = [
            self._start(role, f"127.0.0.1:{free_port()}") for role in (GATEWAY, WORKER) for _ in range(_EACH)
        ]

    @property
    def redis_url(self) -> str:
        """Of the ledger's database."""
        return f"redis://127.0.0.1:{self._port}/0"

    @property
    def gateways(self) -> list[str]:
        """host:port of each."""
        return [member.address for member in self.members if member.role == GATEWAY]

    @property
    def workers(self) -> list[Member]:
        """As they are now."""
        return [member for member in self.members if member.role == WORKER]

    def free_address(self) -> str:
        """For one more member."""
        return f"127.0.0.1:{free_port()}"

    def token(self, tenant: str) -> str:
        """With every right."""
        return issue(KEY, tenant, list(Scope), timedelta(hours=1))

    def end_redis(self, number: signal.Signals = signal.SIGKILL) -> None:
        """It is away until `mend_redis`."""
        assert self._redis is not None
        self._redis.send_signal(number)
        self._redis.wait(30)

    @property
    def redis_log(self) -> Path:
        """What Redis has on disk."""
        return log_of(self.folder / "redis")

    def mend_redis(self) -> None:
        """It is there, with all that it ever acknowledged."""
        if self._redis is None or self._redis.poll() is not None:
            command = redis_command(self.folder / "redis", self._port)
            path = self.folder / "redis.log"
            with path.open("ab") as log:  # a fork by Python would not get on with gRPC's threads
                self._redis = guarded(subprocess.Popen(command, stdout=log, stderr=log))
            await_redis(self._redis, self._port, path)

    def kill(self, member: Member) -> None:
        """SIGKILL, to it and to every process that runs because of it; nobody takes its place yet."""
        doomed = [member.process.pid, *descendants(member.process.pid)]
        for pid in doomed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        member.process.wait()
        wait_until(lambda: not any(map(alive, doomed)), message=f"every process of {member.address} to be gone")

    def replace(self, member: Member) -> None:
        """As in a rolling restart: SIGTERM, and one in its place when it has ended."""
        member.process.terminate()
        assert member.process.wait(60) == 0, f"{member.role} {member.address} did not end well"
        place = self.members.index(member)
        self.members[place] = self._start(member.role, member.address)
        wait_until(lambda: _listens(member.address), 120, f"a new {member.role}")

    def join(self, role: str, address: str) -> None:
        """One more, once it listens."""
        self.members.append(self._start(role, address))
        wait_until(lambda: _listens(address), 120, f"a new {role}")

    def leave(self, member: Member) -> float:
        """SIGTERM, and nobody takes its place; the seconds that it took to end."""
        begun = time.monotonic()
        member.process.terminate()
        assert member.process.wait(120) == 0, f"{member.role} {member.address} did not end well"
        self.members.remove(member)
        return time.monotonic() - begun

    def mend(self) -> None:
        """Whoever has ended is started again, at the same address."""
        for place, member in enumerate(self.members):
            if member.process.poll() is not None:
                self.fallen.append(member.role)
                self.members[place] = self._start(member.role, member.address)

    def wait(self) -> None:
        """Until all of them listen."""
        wait_until(lambda: all(_listens(member.address) for member in self.members), 120, "the fleet to be ready")

    def wake(self) -> None:
        """Whoever is paused goes on."""
        for member in self.members:
            member.process.send_signal(signal.SIGCONT)

    async def work_left(self) -> bool:
        """Whether there is anything for workers to do, or a manifest for housekeeping to write."""
        queues = ("waiting", "delayed", "running", "running_of")
        return await self._any("mf:manifests", *(f"mf:{queue}:{kind}" for queue in queues for kind in MediaKind))

    async def sweeps_left(self) -> bool:
        """Whether there are any, those of later included."""
        return await self._any("mf:sweeps")

    async def manifests_left(self) -> bool:
        """Whether there are any that housekeeping has to write."""
        return await self._any("mf:manifests")

    def end(self) -> None:
        """At once."""
        for process in (*(member.process for member in self.members), self._redis):
            if process is not None:
                process.kill()
                process.wait()

    async def _any(self, *keys: str) -> bool:
        try:
            async with Redis.from_url(self.redis_url) as client:
                return bool(await client.exists(*keys))  # Redis keeps nothing that is empty
        except BrokenError:
            return True  # for all that is known: a cut meets whoever is connected

    def _start(self, role: str, address: str) -> Member:
        other = f"127.0.0.1:{free_port()}"
        told = {
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT),
            "MEDIAFLEET_METRICS_ADDRESS": other if role == GATEWAY else address,
            "MEDIAFLEET_LEDGER_URL": self.redis_url,
            "MEDIAFLEET_BROKER_URL": other_database(self.redis_url),
            "MEDIAFLEET_STORAGE": "local",
            "MEDIAFLEET_STORAGE_DIR": str(self.folder / "objects"),
            "MEDIAFLEET_STORAGE_SIGNING_KEY": "signing key of tests",
            "MEDIAFLEET_GATEWAY_ADDRESS": address,
            "MEDIAFLEET_TOKEN_KEY": KEY,
            "MEDIAFLEET_SCRATCH_DIR": str(self.folder / "scratch"),
            **self.settings,
        }
        with (self.folder / f"{role}-{address}.log").open("ab") as log:
            process = guarded(subprocess.Popen(self._command(role), env=told, stdout=log, stderr=log))
        return Member(role, process, address)


def _listens(address: str) -> bool:
    host, _, port = address.partition(":")
    with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        return True
    return False


@contextmanager
def fleet_in(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Fleet]:
    """Running inside the context."""
    fleet = Fleet(folder, settings)
    try:
        fleet.wait()
        yield fleet
    finally:
        fleet.end()
