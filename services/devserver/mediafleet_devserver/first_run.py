"""`make run`: starts everything, sends files through the real path, prints a receipt, and serves until Ctrl-C."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from mediafleet import AsyncClient, MediafleetError, Upload, UploadProgress
from mediafleet.cli.bars import Bars
from mediafleet.cli.text import plain
from mediafleet_devserver.announcement import WARNING
from mediafleet_devserver.calls import ready_to_paste
from mediafleet_devserver.devserver import DevServer
from mediafleet_devserver.interruption import run_until_interrupted
from mediafleet_devserver.options import DEFAULT_DATA_DIR, DEFAULT_GATEWAY_PORT, DevServerError, Options
from mediafleet_devserver.receipt import Receipt, receipt_of
from mediafleet_devserver.redis_server import free_port
from mediafleet_devserver.samples import make_samples

AT_ONCE = 3
"""Files on their way at a time."""
GIVE_UP = 300.0
"""Seconds after which a file counts as failed."""


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--once", is_flag=True, help="End after the receipt: 0 if every file succeeded, else 1.")
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), default=DEFAULT_DATA_DIR)
@click.option("--gateway-port", type=click.IntRange(1, 65535), help="Left out: 8070, or any other if that is taken.")
def main(files: tuple[Path, ...], once: bool, data_dir: Path, gateway_port: int | None) -> None:
    """Start everything on this machine and send FILES, or samples if there are none."""
    server = DevServer(Options(data_dir, gateway_port or _usual_port()), _say)
    try:
        sys.exit(run_until_interrupted(_first_run(server, files, once), 130 if once else 0, server.kill))
    except DevServerError as error:
        sys.exit(f"mediafleet: {error}")


async def _first_run(server: DevServer, files: Sequence[Path], once: bool) -> int:
    started = time.monotonic()
    _say("Starting Redis, storage, a gateway and two workers ...")
    async with server:
        _say(f"Ready in {time.monotonic() - started:.1f} s.")
        gateway = server.endpoints.gateways[0]
        async with AsyncClient(targets=server.endpoints.gateways, token=server.endpoints.token) as client:
            if kept := [upload.upload_id async for upload in client.list()]:
                _say(f"Found {len(kept)} uploads of earlier runs.")
            if not files:
                files = await asyncio.to_thread(make_samples, server.data.folder("samples"))
            receipts = await _send(client, files)
        _say("")
        for receipt in receipts:
            for line in receipt.lines():
                _say(line)
            _say("")
        good = sum(receipt.good for receipt in receipts)
        if bad := len(receipts) - good:
            _say(
                f"{bad} of {len(receipts)} files failed. What the processes say about it: {server.data.folder('logs')}"
            )
        else:
            _say(f"All {good} files succeeded, every checksum equal. URLs work for 1 hour, while it runs.")
        if not once:
            _invite(server, gateway)
            try:
                await asyncio.Event().wait()
            finally:
                _say("Stopping.")
    return 1 if bad else 0


async def _send(client: AsyncClient, files: Sequence[Path]) -> list[Receipt]:
    places = asyncio.Semaphore(AT_ONCE)
    live = sys.stderr.isatty()

    async def one(number: int, file: Path) -> Receipt:
        told = ""

        def show(progress: UploadProgress) -> None:
            nonlocal told
            bars.show(str(number), file.name, progress)
            if not live and told != (told := progress.state):
                _say(f"{plain(file.name)}: {progress.state.lower()}, {progress.percent:.0f} %")

        outcome: Upload | MediafleetError | OSError
        async with places:
            try:
                outcome = await client.upload(file, progress=show, wait=True, timeout=GIVE_UP)
            except (MediafleetError, OSError) as error:
                outcome = error
        return await receipt_of(client, file, outcome)

    with Bars(enabled=live) as bars:
        return await asyncio.gather(*(one(number, file) for number, file in enumerate(files)))


def _invite(server: DevServer, gateway: str) -> None:
    endpoints = server.endpoints
    _say("")
    _say(f"Gateway   {gateway}")
    _say(f"Metrics   {' '.join(endpoints.metrics)}")
    _say(f"Storage   {endpoints.storage}")
    _say(f"Redis     {endpoints.redis}")
    _say(f"Data      {server.data.path} (logs below; tokens in endpoints.json)")
    _say("")
    _say(ready_to_paste(server.data, gateway))
    _say(click.style(WARNING, fg="yellow", bold=True))
    _say("Serving until Ctrl-C; the data stays for the next start.")


def _usual_port() -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DEFAULT_GATEWAY_PORT))
        except OSError:
            return free_port()
    return DEFAULT_GATEWAY_PORT


def _say(line: str) -> None:
    click.echo(line)


if __name__ == "__main__":
    main()
