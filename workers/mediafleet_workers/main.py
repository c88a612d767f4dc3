"""The process: settings from the environment, SIGTERM for a clean end."""

from __future__ import annotations

import asyncio
import signal
import sys

from mediafleet_core import loops
from mediafleet_core.errors import MediafleetError
from mediafleet_core.settings import SettingsError
from mediafleet_core.telemetry import logs
from mediafleet_workers.bootstrap import Settings, build
from mediafleet_workers.sandbox.sandbox import SandboxUnavailable


def main() -> int:
    """Work until SIGTERM or SIGINT; the exit status: 0, 1 if it could not start, 2 for wrong settings."""
    logs.configure("worker")
    try:
        loops.run(_work(Settings.from_environment()))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except (MediafleetError, SandboxUnavailable) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


async def _work(settings: Settings) -> None:
    asked_to_end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_end.set)
    process = await build(settings)
    try:
        await process.start()
        await asked_to_end.wait()
        await process.drain()
    finally:
        await process.stop()
