"""The process: settings from the environment, SIGTERM for a clean end."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from mediafleet_core.errors import MediafleetError
from mediafleet_core.settings import SettingsError
from mediafleet_core.telemetry import logs
from mediafleet_gateway.bootstrap import Settings, build


def main() -> int:
    """Serve until SIGTERM or SIGINT; the exit status: 0, 1 if it could not start, 2 for wrong settings."""
    logs.configure("gateway")
    try:
        _run(_serve(Settings.from_environment()))
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
    gateway = await build(settings)
    try:
        await gateway.start()
        await asked_to_end.wait()
        await gateway.drain()
    finally:
        await gateway.stop()


def _run(serving: Coroutine[Any, Any, None]) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(serving)
    else:
        uvloop.run(serving)
