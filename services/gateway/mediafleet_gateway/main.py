"""The process: settings from the environment, SIGTERM for a clean end."""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import signal
import sys
from collections.abc import Sequence

from mediafleet_core import loops
from mediafleet_core.errors import MediafleetError
from mediafleet_core.settings import SettingsError
from mediafleet_core.telemetry import logs
from mediafleet_gateway.bootstrap import Settings, build
from mediafleet_gateway.supervisor import Supervisor
from mediafleet_gateway.tether import tied

_M_ARENA_MAX = -8
"""As in malloc.h."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the exit status: 0, 1 if it could not start, 2 for wrong settings."""
    parser = argparse.ArgumentParser("mediafleet_gateway", description="The gRPC gateway of mediafleet.")
    parser.add_argument("--processes", type=int, choices=range(1, 65), metavar="N", help="gateways on this one port")
    asked = parser.parse_args(arguments).processes
    logs.configure("gateway")
    try:
        settings = Settings.from_environment()
        processes = asked or settings.gateway.gateway_processes
        if processes > 1 and settings.gateway.gateway_tether is None:
            return asyncio.run(Supervisor(settings.gateway, processes).run())
        _share_memory()
        loops.run(_serve(settings))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except MediafleetError as error:
        print(f"{error.reason}: {error.message}", file=sys.stderr)
        return 1
    return 0


async def _serve(settings: Settings) -> None:
    asked_to_end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_end.set)
    async with tied(settings.gateway.gateway_tether, asked_to_end) as tell_that_it_serves:
        gateway = await build(settings)
        try:
            await gateway.start()
            tell_that_it_serves()
            await asked_to_end.wait()
            await gateway.drain()
        finally:
            await gateway.stop()


def _share_memory() -> None:
    """Have one heap, not one for each few threads: gRPC's take turns, and the holes in each add up to tens of MiB."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # not every C library has it
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
