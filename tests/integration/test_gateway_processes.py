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
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

import grpc
import pytest

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceStub
from mediafleet_devserver.redis_server import free_port, redis_server
from mediafleet_gateway.settings import GatewaySettings
from mediafleet_gateway.supervisor import Supervisor
from tests.guarding import guarded
from tests.processes import alive, children
from tests.waiting import eventually, wait_until

PATIENCE = 120.0
"""Seconds that a busy machine may take."""


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
            request = pb.CreateUploadRequest(spec=spec)
            UploadServiceStub(channel).CreateUpload(request, wait_for_ready=True, timeout=PATIENCE)


def calls(metrics_address: str) -> float:
    """How many CreateUpload this gateway answered."""
    with urlopen(f"http://{metrics_address}/metrics") as page:
        text = page.read().decode()
    found = re.search(r'^grpc_server_started_total\{[^}]*"CreateUpload"[^}]*\} (\S+)', text, re.MULTILINE)
    assert found
    return float(found[1])


@contextmanager
def supervised(redis_url: str, folder: Path) -> Iterator[Fleet]:
    """Started, and gone at the end."""
    fleet = Fleet(redis_url, folder)
    try:
        yield fleet
    finally:
        gateways = children(fleet.process.pid)
        fleet.process.kill()
        fleet.process.wait()
        for pid in gateways:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def serves(fleet: Fleet) -> None:
    """Both of its gateways have started."""
    wait_until(lambda: len(fleet.started()) == 2, timeout=PATIENCE)


@pytest.fixture
def fleet(redis_url: str, tmp_path: Path) -> Iterator[Fleet]:
    with supervised(redis_url, tmp_path) as fleet:
        serves(fleet)
        yield fleet


def test_both_take_calls_and_end_together(fleet: Fleet, tmp_path: Path) -> None:
    pages = fleet.started()

    def both_called() -> bool:
        fleet.create()
        return all(calls(page) for page in pages)

    wait_until(both_called, timeout=PATIENCE)
    gateways = children(fleet.process.pid)
    assert len(gateways) == 2

    second = fleet.start(tmp_path / "second.log")
    assert second.wait(PATIENCE) == 2
    assert "in use" in (tmp_path / "second.log").read_text()

    fleet.process.terminate()
    assert fleet.process.wait(PATIENCE) == 0
    assert not any(map(alive, gateways))


def test_one_that_dies_is_replaced(fleet: Fleet) -> None:
    killed, kept = children(fleet.process.pid)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: len(fleet.started()) == 3, timeout=PATIENCE)
    assert kept in children(fleet.process.pid)
    fleet.create()


def test_none_outlives_its_supervisor(fleet: Fleet) -> None:
    gateways = children(fleet.process.pid)
    fleet.process.kill()
    wait_until(lambda: not any(map(alive, gateways)), timeout=PATIENCE)


def test_where_none_can_start_all_end_and_say_why_once(tmp_path: Path) -> None:
    with supervised(f"redis://ann:secret@127.0.0.1:{free_port()}/0", tmp_path) as fleet:
        assert fleet.process.wait(PATIENCE) == 1
        told = fleet.log.read_text()
    assert told.count("MEDIAFLEET_LEDGER_URL") == told.count("\n") == 1
    assert "secret" not in told


def test_what_ends_while_it_starts_has_ended_well(redis_url: str, tmp_path: Path) -> None:
    with supervised(redis_url, tmp_path) as fleet:
        wait_until(lambda: children(fleet.process.pid), timeout=PATIENCE)
        fleet.process.terminate()
        assert fleet.process.wait(PATIENCE) == 0


@pytest.mark.long  # that one which dies is replaced is tested every day
def test_one_that_dies_while_redis_is_away_is_replaced_when_it_is_back(tmp_path: Path) -> None:
    port, data = free_port(), tmp_path / "redis"
    with ExitStack() as running:
        first = running.enter_context(ExitStack())
        redis_url = first.enter_context(redis_server(data, port=port))
        fleet = running.enter_context(supervised(redis_url, tmp_path))
        serves(fleet)
        killed, kept = children(fleet.process.pid)
        first.close()
        os.kill(killed, signal.SIGKILL)

        def pauses() -> list[str]:
            return re.findall(r'"again_in": ?([0-9.]+)', fleet.log.read_text())

        wait_until(lambda: len(pauses()) >= 3, timeout=PATIENCE)
        assert pauses()[:3] == ["1.0", "2.0", "4.0"]
        with redis_server(data, port=port):
            wait_until(lambda: len(fleet.started()) == 3, timeout=PATIENCE)
            assert kept in children(fleet.process.pid)
            fleet.create()


@pytest.mark.parametrize("turns", range(8))
async def test_a_signal_that_comes_as_a_gateway_dies_ends_it(caplog: pytest.LogCaptureFixture, turns: int) -> None:
    """So many turns of the loop after it could hear of the death."""
    supervisor = Supervisor(GatewaySettings(gateway_address=f"127.0.0.1:{free_port()}"), 1)
    before = set(children(os.getpid()))
    running = asyncio.create_task(supervisor.run())

    async def begun() -> set[int]:
        return set(children(os.getpid())) - before

    def reaped() -> bool:
        return not alive(gateway) and not any("waitpid" in each.name for each in threading.enumerate())

    (gateway,) = await eventually(begun)
    for _ in range(10):
        await asyncio.sleep(0)  # until it is waited for
    os.kill(gateway, signal.SIGKILL)
    wait_until(reaped)  # holding up the loop
    for _ in range(turns):
        await asyncio.sleep(0)
    if not running.done():
        os.kill(os.getpid(), signal.SIGTERM)
    assert await running == signal.SIGKILL
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().remove_signal_handler(number)
    assert [record.message for record in caplog.records] == []
