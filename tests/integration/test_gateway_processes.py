"""`--processes`: several gateways on one port, and the process that watches over them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import grpc
import pytest

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceStub
from mediafleet_devserver.redis_server import free_port
from mediafleet_gateway.settings import GatewaySettings
from mediafleet_gateway.supervisor import Supervisor
from tests.guarding import guarded
from tests.processes import alive, children
from tests.waiting import eventually, wait_until


class Fleet:
    """A supervisor of two gateways, as an operator starts it."""

    def __init__(self, redis_url: str, folder: Path) -> None:
        self.port = free_port()
        self.environment = os.environ | {
            "MEDIAFLEET_GATEWAY_ADDRESS": f"127.0.0.1:{self.port}",
            "MEDIAFLEET_LEDGER_URL": redis_url,
            "MEDIAFLEET_BROKER_URL": redis_url,
            "MEDIAFLEET_STORAGE": "local",
            "MEDIAFLEET_STORAGE_DIR": str(folder / "objects"),
            "MEDIAFLEET_STORAGE_SIGNING_KEY": "signing key of tests",
        }
        self.log = folder / "log"
        self.process = self.start(self.log)

    def start(self, log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as out:
            command = [sys.executable, "-m", "mediafleet_gateway", "--processes", "2"]
            return guarded(subprocess.Popen(command, env=self.environment, stdout=out, stderr=out))

    def started(self) -> list[str]:
        """The metrics address of every gateway that ever started."""
        return re.findall(r'"metrics": ?"([^"]+)"', self.log.read_text())

    def create(self) -> None:
        """One call on a connection of its own."""
        with grpc.insecure_channel(
            f"127.0.0.1:{self.port}", options=[("grpc.use_local_subchannel_pool", 1)]
        ) as channel:
            spec = pb.UploadSpec(display_name="a.bin", size_bytes=1)
            UploadServiceStub(channel).CreateUpload(pb.CreateUploadRequest(spec=spec), wait_for_ready=True, timeout=60)


def calls(metrics_address: str) -> float:
    """How many CreateUpload this gateway answered."""
    with urlopen(f"http://{metrics_address}/metrics") as page:
        text = page.read().decode()
    found = re.search(r'^grpc_server_started_total\{[^}]*"CreateUpload"[^}]*\} (\S+)', text, re.MULTILINE)
    assert found
    return float(found[1])


@pytest.fixture
def fleet(redis_url: str, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(redis_url, tmp_path)
    try:
        wait_until(lambda: len(fleet.started()) == 2, timeout=60)
        yield fleet
    finally:
        gateways = children(fleet.process.pid)
        fleet.process.kill()
        fleet.process.wait()
        for pid in gateways:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_both_take_calls_and_end_together(fleet: Fleet, tmp_path: Path) -> None:
    pages = fleet.started()

    def both_called() -> bool:
        fleet.create()
        return all(calls(page) for page in pages)

    wait_until(both_called, timeout=60)
    gateways = children(fleet.process.pid)
    assert len(gateways) == 2

    second = fleet.start(tmp_path / "second.log")
    assert second.wait(60) == 2
    assert "in use" in (tmp_path / "second.log").read_text()

    fleet.process.terminate()
    assert fleet.process.wait(60) == 0
    assert not any(map(alive, gateways))


def test_one_that_dies_is_replaced(fleet: Fleet) -> None:
    killed, kept = children(fleet.process.pid)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: len(fleet.started()) == 3, timeout=60)
    assert kept in children(fleet.process.pid)
    fleet.create()


def test_none_outlives_its_supervisor(fleet: Fleet) -> None:
    gateways = children(fleet.process.pid)
    fleet.process.kill()
    wait_until(lambda: not any(map(alive, gateways)), timeout=60)


async def test_gateways_that_cannot_start_end_it_also_where_all_end_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = Supervisor(GatewaySettings(gateway_address=f"127.0.0.1:{free_port()}"), 2)
    monkeypatch.setenv("MEDIAFLEET_DRAIN_GRACE", "for ever")
    before = set(children(os.getpid()))
    running = asyncio.create_task(supervisor.run())

    async def begun() -> set[int]:
        found = set(children(os.getpid())) - before
        return found if len(found) == 2 else set()

    def told() -> bool:
        return not any(map(alive, gateways)) and not any("waitpid" in each.name for each in threading.enumerate())

    gateways = await eventually(begun)
    for _ in range(10):
        await asyncio.sleep(0)  # until they are waited for
    wait_until(told)  # holding up the loop, so that it hears of both ends at once
    assert await running == 2
