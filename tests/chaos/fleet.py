"""Gateways and workers with failpoints, on one Redis and one folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
from redis.asyncio import Redis

from mediafleet_core.media_types import MediaKind
from mediafleet_devserver.redis_server import free_port, redis_command
from mediafleet_gateway.auth import Scope
from mediafleet_gateway.tokens import issue
from tests.chaos.failpoints import GATEWAY, WORKER, Armed
from tests.intakes import other_database
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
KEY = "a key for tests only, 32 bytes or more"
PART = 512 << 10
"""Bytes of a part."""

_EACH = 2
"""So many of each role: while one is dead, another goes on."""


class Member(NamedTuple):
    """A process, and the address where it listens once it is ready."""

    role: str
    process: subprocess.Popen[bytes]
    address: str


class Fleet:
    """Redis, two gateways and two workers; whoever is dead is replaced by `mend`.

    `faults` is the folder of what is to happen, `fallen` the roles of those replaced since it was armed. The keys of
    all objects that records name, as the tests have found them, are `named`.
    """

    def __init__(self, folder: Path) -> None:
        """Begins to run; `wait` tells when all do."""
        self.folder, self.faults = folder, folder / "faults"
        self.fallen: list[str] = []
        self.named: set[str] = set()
        self._port = free_port()
        self._redis: subprocess.Popen[bytes] | None = None
        for name in ("redis", "faults"):
            (folder / name).mkdir()
        self.mend_redis()
        self._members = [
            self._start(role, f"127.0.0.1:{free_port()}") for role in (GATEWAY, WORKER) for _ in range(_EACH)
        ]

    @property
    def redis_url(self) -> str:
        """Of the ledger's database."""
        return f"redis://127.0.0.1:{self._port}/0"

    @property
    def gateways(self) -> list[str]:
        """host:port of each."""
        return [member.address for member in self._members if member.role == GATEWAY]

    def token(self, tenant: str) -> str:
        """With every right."""
        return issue(KEY, tenant, list(Scope), timedelta(hours=1))

    def arm(self, armed: Armed, times: int) -> None:
        """Have it happen so many times."""
        for left in self.faults.glob("*.json"):  # by a case that failed
            left.unlink()
        self.fallen.clear()
        for number in range(times):
            draft = self.faults / "draft"
            draft.write_bytes(msgspec.json.encode(armed))
            draft.rename(self.faults / f"{number}.json")

    @property
    def has_happened(self) -> bool:
        """Whether all that was armed has happened."""
        return not list(self.faults.glob("*.json"))

    async def work_left(self) -> bool:
        """Whether there is anything for workers to do, or a manifest for housekeeping to write."""
        queues = ("waiting", "delayed", "running", "running_of")
        return await self._any("mf:manifests", *(f"mf:{queue}:{kind}" for queue in queues for kind in MediaKind))

    async def sweeps_left(self) -> bool:
        """Whether there are any, those of later included."""
        return await self._any("mf:sweeps")

    def mend_redis(self) -> None:
        """It is there, with all that it ever acknowledged."""
        if self._redis is None or self._redis.poll() is not None:
            command = redis_command(self.folder / "redis", self._port)
            with (self.folder / "redis.log").open("ab") as log:  # a fork by Python would not get on with gRPC's threads
                self._redis = subprocess.Popen(command, stdout=log, stderr=log)
            wait_until(lambda: _listens(f"127.0.0.1:{self._port}"), 15, "Redis")

    def mend(self) -> None:
        """Whoever has ended is started again, at the same address."""
        for place, member in enumerate(self._members):
            if member.process.poll() is not None:
                self.fallen.append(member.role)
                self._members[place] = self._start(member.role, member.address)

    def wait(self) -> None:
        """Until all of them listen."""
        wait_until(lambda: all(_listens(member.address) for member in self._members), 30, "the fleet to be ready")

    def wake(self) -> None:
        """Whoever is paused goes on."""
        for member in self._members:
            member.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """At once."""
        for process in (*(member.process for member in self._members), self._redis):
            if process is not None:
                process.kill()
                process.wait()

    async def _any(self, *keys: str) -> bool:
        async with Redis.from_url(self.redis_url) as client:
            return bool(await client.exists(*keys))  # Redis keeps nothing that is empty

    def _start(self, role: str, address: str) -> Member:
        other = f"127.0.0.1:{free_port()}"
        told = {
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT),
            "MEDIAFLEET_METRICS_ADDRESS": other if role == GATEWAY else address,
            "MEDIAFLEET_LEDGER_URL": self.redis_url,
            "MEDIAFLEET_BROKER_URL": other_database(self.redis_url),
            "MEDIAFLEET_BROKER_HEARTBEAT_TIMEOUT": "PT2S",
            "MEDIAFLEET_STORAGE": "local",
            "MEDIAFLEET_STORAGE_DIR": str(self.folder / "objects"),
            "MEDIAFLEET_STORAGE_SIGNING_KEY": "signing key of tests",
            "MEDIAFLEET_SWEEP_AGAIN_AFTER": "PT1.5S",
            "MEDIAFLEET_GATEWAY_ADDRESS": address,
            "MEDIAFLEET_TOKEN_KEY": KEY,
            "MEDIAFLEET_PART_BYTES": str(PART),
            "MEDIAFLEET_SCRATCH_DIR": str(self.folder / "scratch"),
            "MEDIAFLEET_JOB_LEASE": "PT1S",
            "MEDIAFLEET_HOUSEKEEPING_INTERVAL": "PT0.1S",
            "MEDIAFLEET_HOUSEKEEPING_LEASE": "PT0.4S",
            "MEDIAFLEET_STRAY_INTERVAL": "PT0.5S",
            "MEDIAFLEET_STRAY_AGE": "PT2S",
            "dramatiq_restart_delay": "200",
        }
        with (self.folder / f"{role}-{address}.log").open("ab") as log:
            command = [sys.executable, "-m", "tests.chaos.process", role, str(self.faults)]
            return Member(role, subprocess.Popen(command, env=told, stdout=log, stderr=log), address)


def _listens(address: str) -> bool:
    host, _, port = address.partition(":")
    with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        return True
    return False


@contextmanager
def fleet_in(folder: Path) -> Iterator[Fleet]:
    """Running inside the context."""
    fleet = Fleet(folder)
    try:
        fleet.wait()
        yield fleet
    finally:
        fleet.end()
