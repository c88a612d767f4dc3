"""Real processes to measure: a gateway on its own Redis and folder, and the bare server beside it."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc

from mediafleet_devserver.redis_server import redis_server

READY_WITHIN = 20.0
"""Seconds that a server may take to accept connections."""


def free_port() -> int:
    """A free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def both() -> Iterator[tuple[str, str]]:
    """Addresses of a gateway (local storage, every part fsynced) and of the bare server."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="mediafleet-bench-")))
        (folder / "redis").mkdir()
        redis = stack.enter_context(redis_server(folder / "redis"))
        gateway, bare = (f"127.0.0.1:{free_port()}" for _ in range(2))
        settings = {
            "MEDIAFLEET_GATEWAY_ADDRESS": gateway,
            "MEDIAFLEET_LEDGER_URL": redis,
            "MEDIAFLEET_BROKER_URL": redis,
            "MEDIAFLEET_STORAGE": "local",
            "MEDIAFLEET_STORAGE_DIR": str(folder / "objects"),
            "MEDIAFLEET_STORAGE_SIGNING_KEY": secrets.token_hex(32),
        }
        with (folder / "log").open("wb") as log:
            for command, extra in (
                (["-m", "mediafleet_gateway"], settings),
                (["-m", "benchmarks.bare_server", bare], {}),
            ):
                process = subprocess.Popen([sys.executable, *command], env=os.environ | extra, stdout=log, stderr=log)
                stack.callback(process.wait)
                stack.callback(process.terminate)
        for address in (gateway, bare):
            with grpc.insecure_channel(address) as channel:
                grpc.channel_ready_future(channel).result(READY_WITHIN)
        yield gateway, bare
