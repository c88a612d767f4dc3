"""Real processes to measure: gateways on their own Redis, the references beside them, and the CPU that each used."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import grpc
import redis

from mediafleet_devserver.redis_server import free_port, redis_server
from tests.processes import children

READY_WITHIN = 30.0
"""Seconds that a server may take to accept connections."""

_TICKS = os.sysconf("SC_CLK_TCK")
_LIMITS = '{"local": {"tenant_bytes": 1099511627776, "collection_bytes": 1099511627776}}'


class Server(NamedTuple):
    """A process and where it listens."""

    address: str
    pid: int

    def cpu(self) -> float:
        """CPU seconds that it and its children have used so far."""
        return cpu_of(self.pid)

    def peak_memory(self) -> int:
        """Most bytes that were ever resident."""
        return _status(self.pid, "VmHWM")

    def memory(self) -> int:
        """Bytes that are resident now."""
        return _status(self.pid, "VmRSS")


class Bench:
    """Starts processes; all end with the block."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        (folder / "redis").mkdir()
        self._redis = stack.enter_context(redis_server(folder / "redis"))
        with redis.Redis.from_url(self._redis) as client:
            self.redis = Server(self._redis, client.info("server")["process_id"])
        self._log = stack.enter_context((folder / "log").open("wb"))

    def start(
        self,
        command: Sequence[str],
        address: str,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Server:
        """A process, once it accepts connections at `address`."""
        process = subprocess.Popen(
            command, env=os.environ | dict(environment or {}), stdout=self._log, stderr=self._log, cwd=cwd
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)
        host, _, port = address.rpartition(":")
        _until_open(host, int(port), process)
        return Server(address, process.pid)

    def python(self, module: str, address: str, *arguments: str) -> Server:
        """`python -m module ADDRESS ...`."""
        return self.start([sys.executable, "-m", module, address, *arguments], address)

    def gateway(
        self, sink: Server | None = None, *, processes: int = 1, environment: Mapping[str, str] | None = None
    ) -> Server:
        """A gateway on local storage, every part fsynced, or on the sink; ready when it serves."""
        address = f"127.0.0.1:{free_port()}"
        settings = {
            "MEDIAFLEET_GATEWAY_ADDRESS": address,
            "MEDIAFLEET_GATEWAY_PROCESSES": str(processes),
            "MEDIAFLEET_LEDGER_URL": self._redis,
            "MEDIAFLEET_BROKER_URL": self._redis,
            "MEDIAFLEET_TENANTS": _LIMITS,
            "MEDIAFLEET_STORAGE": "s3" if sink else "local",
        }
        if sink:
            settings |= {f"R2_{name}": value for name, value in s3_settings(sink).items()}
        else:
            settings["MEDIAFLEET_STORAGE_DIR"] = str(self._folder / "objects")
            settings["MEDIAFLEET_STORAGE_SIGNING_KEY"] = secrets.token_hex(32)
        server = self.start([sys.executable, "-m", "mediafleet_gateway"], address, {**settings, **(environment or {})})
        with grpc.insecure_channel(address) as channel:
            grpc.channel_ready_future(channel).result(READY_WITHIN)
        return server


def s3_settings(sink: Server) -> dict[str, str]:
    """Where the sink is, and credentials that it does not check."""
    return {
        "ENDPOINT_URL": f"http://{sink.address}",
        "BUCKET_NAME": "bench",
        "ACCESS_KEY_ID": "bench",
        "SECRET_ACCESS_KEY": "bench",
    }


@contextmanager
def bench() -> Iterator[Bench]:
    """Processes of one run, with a folder and a Redis of their own."""
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="mediafleet-bench-"))
        yield Bench(stack, Path(folder))


def _until_open(host: str, port: int, process: subprocess.Popen[bytes]) -> None:
    """Poll until somebody listens."""
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((host, port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not listen on {host}:{port}")


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and its children, of those that have ended too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS + sum(map(cpu_of, children(pid)))


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{name}:"))
