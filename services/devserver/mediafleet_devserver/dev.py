"""`mediafleet dev`: everything until Ctrl-C."""

from __future__ import annotations

import asyncio
import time

import click

from mediafleet_devserver.announcement import announce
from mediafleet_devserver.devserver import DevServer
from mediafleet_devserver.interruption import run_until_interrupted
from mediafleet_devserver.options import DevServerError, Options


def run(options: Options) -> int:
    """Serve until SIGINT or SIGTERM; the exit status: 0, or 1 if it could not start."""
    server = DevServer(options, _say)
    try:
        return run_until_interrupted(_serve(server), 0, server.kill)
    except DevServerError as error:
        click.echo(f"mediafleet dev: {error.flag and error.flag + ': '}{error}", err=True)
        return 1


async def _serve(server: DevServer) -> int:
    started = time.monotonic()
    async with server:
        announce(server, _say)
        _say(f"Ready in {time.monotonic() - started:.1f} s. Ctrl-C stops everything.")
        try:
            await asyncio.Event().wait()
        finally:
            _say("Stopping.")
    return 0


def _say(line: str) -> None:
    click.echo(line)
