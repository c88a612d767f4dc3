"""A dev server as a person starts it: the command, in a process of its own, without the environment of the tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.request import Request, urlopen

from mediafleet_devserver.r2.endpoint import FAULTS
from mediafleet_devserver.r2.faults import Fault
from mediafleet_devserver.redis_server import free_port
from tests.guarding import guarded
from tests.processes import descendants
from tests.waiting import wait_until

MEDIAFLEET = Path(sys.executable).with_name("mediafleet")
START_TIMEOUT = 90.0


class DevServerProcess:
    """`mediafleet dev` that has written its endpoints."""

    def __init__(self, process: subprocess.Popen[bytes], data_dir: Path, output: Path) -> None:
        self.process = process
        self.data_dir = data_dir
        self._output = output

    @property
    def endpoints(self) -> dict[str, Any]:
        """As the file has them now."""
        endpoints: dict[str, Any] = json.loads((self.data_dir / "endpoints.json").read_text())
        return endpoints

    @property
    def gateway(self) -> str:
        """host:port of the first one."""
        return str(self.endpoints["gateways"][0])

    @property
    def token(self) -> str:
        """Of the tenant `demo`."""
        return str(self.endpoints["token"])

    @property
    def pids(self) -> dict[str, int]:
        pids: dict[str, int] = self.endpoints["pids"]
        return pids

    @property
    def output(self) -> str:
        """What it printed."""
        return self._output.read_text()

    def plan_faults(self, *faults: Fault) -> None:
        """From now on the storage of a server on S3 has these and no others."""
        body = json.dumps([fault.model_dump(mode="json") for fault in faults]).encode()
        urlopen(Request(self.endpoints["storage"] + FAULTS, body, method="PUT")).close()

    def kill(self, name: str) -> int:
        """SIGKILL a child; the pid that it had."""
        pid = self.pids[name]
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_for_successor(self, name: str, pid: int, timeout: float = 60.0) -> None:
        """Until the child `name` is another one than `pid`."""
        wait_until(lambda: self.pids[name] != pid, timeout, f"a successor of {name}")

    def descendants(self) -> set[int]:
        """Every process that runs because of it."""
        return set(descendants(self.process.pid))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


@contextmanager
def dev_server(data_dir: Path, *flags: str, environment: Mapping[str, str] | None = None) -> Iterator[DevServerProcess]:
    """Ready inside the context, on free ports, and gone after it."""
    output = data_dir.with_name(f"{data_dir.name}.out")
    # One that was killed leaves its file behind; the next one is ready when there is a new one.
    (data_dir / "endpoints.json").unlink(missing_ok=True)
    with output.open("wb") as file:
        process = launch(data_dir, *flags, file=file, environment=environment)
    server = DevServerProcess(process, data_dir, output)

    def ready() -> bool:
        assert process.poll() is None, server.output
        return (data_dir / "endpoints.json").exists()

    try:
        wait_until(ready, timeout=START_TIMEOUT, message="the dev server to be ready")
        yield server
    finally:
        if process.poll() is None:
            server.stop()


def launch(
    data_dir: Path, *flags: str, file: IO[bytes] | int, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts the command and does not wait."""
    gateways = int(flags[flags.index("--gateways") + 1]) if "--gateways" in flags else 1
    port = () if "--gateway-port" in flags else ("--gateway-port", str(free_port(gateways)))
    process = subprocess.Popen(
        [str(MEDIAFLEET), "dev", "--data-dir", str(data_dir), *port, *flags],
        env={"PATH": os.defpath, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=file,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    return guarded(process)
