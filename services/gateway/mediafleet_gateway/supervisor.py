"""Several gateways on one port: a process that starts them, replaces one that dies, and ends them together.

The kernel spreads connections over the processes (SO_REUSEPORT). They are spawned, as gRPC does not survive a fork.
The first starts alone: where it cannot, none can, and one has said why.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import Process

import structlog

from mediafleet_core.settings import SettingsError
from mediafleet_core.telemetry.metrics import Address, address
from mediafleet_gateway.settings import GatewaySettings

_log = structlog.get_logger(__name__)

_PAUSE = 1.0
"""Seconds before a gateway that died is replaced."""

_LONGEST_PAUSE = 30.0
"""The pause doubles up to this for a gateway that ends before it serves, over and over."""

_WRONG_SETTINGS = 2
"""Exit status of a gateway that a restart cannot help."""


class Supervisor:
    """`count` gateways; each has a metrics page of its own, on the ports that follow the configured one."""

    def __init__(self, settings: GatewaySettings, count: int) -> None:
        """Raises SettingsError when somebody else listens on the address."""
        self._count = count
        self._metrics = address(settings.metrics_address)
        self._held = _hold(address(settings.gateway_address))
        self._processes: set[Process] = set()
        self._decided = asyncio.Event()
        """The first one serves, or all end."""
        self._end = asyncio.Event()
        self._status = 0

    async def run(self) -> int:
        """Until SIGTERM or SIGINT; the exit status: 0, or that of a gateway that did not start, or did not end well."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._begin_to_end)
        with self._held:
            await asyncio.gather(*map(self._keep, range(self._count)))
        return self._status

    def _begin_to_end(self) -> None:
        self._end.set()
        self._decided.set()
        for process in self._processes:
            _terminate(process)

    async def _keep(self, index: int) -> None:
        if index:
            await self._decided.wait()
        pause = _PAUSE
        while not self._end.is_set():
            status, served = await self._run(index)
            if self._end.is_set() and status == -signal.SIGTERM:
                return  # as it was asked to, before it was far enough to hear of that
            if status == _WRONG_SETTINGS or not self._decided.is_set():
                self._begin_to_end()
            if self._end.is_set():
                self._status = self._status or abs(status)
                return
            pause = _PAUSE if served else min(2 * pause, _LONGEST_PAUSE)
            _log.error("gateway_died", index=index, status=status, served=served, again_in=pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), pause)

    async def _run(self, index: int) -> tuple[int, bool]:
        """A gateway from its start to its end: its exit status, and whether it ever served."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "mediafleet_gateway"),
                env=os.environ | self._environment(index, theirs.fileno()),
                pass_fds=[theirs.fileno()],
            )
        self._processes.add(process)
        if self._end.is_set():  # while it was being spawned
            _terminate(process)
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        if served := bool(await reader.read(1)):
            self._decided.set()
        status = await process.wait()
        writer.close()
        self._processes.discard(process)
        return status, served

    def _environment(self, index: int, tether: int) -> dict[str, str]:
        host, port, *_ = self._held.getsockname()
        metrics = self._metrics._replace(port=self._metrics.port and self._metrics.port + index)
        return {
            "MEDIAFLEET_GATEWAY_ADDRESS": str(Address(host, port)),
            "MEDIAFLEET_METRICS_ADDRESS": str(metrics),
            "MEDIAFLEET_GATEWAY_TETHER": str(tether),
        }


def _terminate(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended, and who waits for it has not heard yet
        process.terminate()


def _hold(where: Address) -> socket.socket:
    """A socket that keeps the port for us without listening; port 0 is chosen here, once for all."""
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as alone:
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind(where)
            chosen = Address(where.host, alone.getsockname()[1])
        shared = socket.socket(family, socket.SOCK_STREAM)
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind(chosen)
    except OSError:
        raise SettingsError(f"MEDIAFLEET_GATEWAY_ADDRESS: cannot listen on {where}; is it in use?") from None
    return shared
