"""`make run`: starts everything, sends files through the real path, prints a receipt, and serves until Ctrl-C."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from mediafleet import AsyncClient, MediafleetError, UploadProgress
from mediafleet.cli.bars import Bars
from mediafleet.cli.output import show as show_table
from mediafleet.cli.text import plain
from mediafleet.sources import FileChanged
from mediafleet_devserver.announcement import WARNING, without_password
from mediafleet_devserver.calls import ready_to_paste
from mediafleet_devserver.devserver import DevServer
from mediafleet_devserver.interruption import run_until_interrupted
from mediafleet_devserver.names import files_named
from mediafleet_devserver.options import DEFAULT_DATA_DIR, DEFAULT_GATEWAY_PORT, DevServerError, Options
from mediafleet_devserver.receipt import Outcome, Receipt, receipt_of
from mediafleet_devserver.redis_server import free_port, is_free
from mediafleet_devserver.samples import make_samples
from mediafleet_devserver.summary import summary

AT_ONCE = 3
"""Files on their way at a time."""
GIVE_UP = 300.0
"""Seconds after which a file counts as failed."""

SPELT_FOR_MAKE = {"--data-dir": "DATA", "--storage": "DATA"}
"""What in `make run` stands for a flag of `mediafleet dev`."""


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--names", default="", help="More FILES in one text, as a shell would read them.")
@click.option("--once", is_flag=True, help="End after the receipt: 0 if every file succeeded, else 1.")
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), default=DEFAULT_DATA_DIR)
@click.option("--gateway-port", type=click.IntRange(1, 65535), help="Left out: 8070, or any other if that is taken.")
def main(files: tuple[Path, ...], names: str, once: bool, data_dir: Path, gateway_port: int | None) -> None:
    """Start everything on this machine and send FILES, or samples if there are none."""
    try:
        files = (*files, *files_named(names))
        server = DevServer(Options(data_dir, gateway_port or _usual_port()), _say)
        sys.exit(run_until_interrupted(_first_run(server, files, once), 130 if once else 0, server.kill))
    except DevServerError as error:
        about = SPELT_FOR_MAKE.get(error.flag, error.flag)
        sys.exit(f"make run: {about and about + ': '}{error}{_hint(about)}")


def _hint(about: str) -> str:
    return " For example: make run DATA=other" if about == "DATA" else ""


async def _first_run(server: DevServer, files: Sequence[Path], once: bool) -> int:
    started = datetime.now(UTC)
    receipts: list[Receipt] = []
    try:
        async with server:
            _say(f"Ready in {(datetime.now(UTC) - started).total_seconds():.1f} s.")
            try:
                receipts = await _demonstrate(server, files)
                if not once:
                    _invite(server)
                _conclude(server, receipts, started, once)
                if not once:
                    await asyncio.Event().wait()
            except asyncio.CancelledError:
                _say("\nStopping.")
                raise
    except asyncio.CancelledError:
        _say(_where_it_is(server, finished=bool(receipts)))
        raise
    return 0 if all(receipt.good for receipt in receipts) else 1


async def _demonstrate(server: DevServer, files: Sequence[Path]) -> list[Receipt]:
    async with AsyncClient(targets=server.endpoints.gateways, token=server.endpoints.token) as client:
        if kept := [upload.upload_id async for upload in client.list()]:
            _say(f"Found {len(kept)} upload{'s' * (len(kept) > 1)} of earlier runs.")
        if not files:
            _say(f"Sending sample files, made in {server.data.path / 'samples'}")
            files = await asyncio.to_thread(make_samples, server.data.folder("samples"))
        receipts = await _send(client, files)
    _say("")
    for receipt in receipts:
        for line in receipt.lines():
            _say(line)
        _say("")
    return receipts


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

        outcome: Outcome
        async with places:
            try:
                outcome = await client.upload(file, resume=True, progress=show, wait=True, timeout=GIVE_UP)
            except (MediafleetError, OSError, FileChanged) as error:
                outcome = error
        return await receipt_of(client, file, outcome)

    with Bars(enabled=live) as bars:
        return await asyncio.gather(*(one(number, file) for number, file in enumerate(files)))


def _invite(server: DevServer) -> None:
    endpoints = server.endpoints
    gateway = endpoints.gateways[0]
    _say(f"Gateway   {gateway}")
    for number, url in enumerate(endpoints.metrics):
        _say(f"{'' if number else 'Metrics':10}{url}")
    _say(f"Storage   {endpoints.storage}")
    _say(f"Redis     {without_password(endpoints.redis)}")
    _say(f"Data      {server.data.path} (logs below; tokens in endpoints.json)")
    _say("")
    _say(ready_to_paste(server.data, gateway))
    _say(click.style(WARNING, fg="yellow", bold=True))
    _say("")


def _conclude(server: DevServer, receipts: Sequence[Receipt], started: datetime, once: bool) -> None:
    show_table(summary(receipts))
    _say("")
    count = f"{len(receipts)} file{'s' * (len(receipts) > 1)}"
    if bad := sum(not receipt.good for receipt in receipts):
        _say(f"{bad} of {count} failed. What the processes say about it: {server.data.folder('logs')}")
    else:
        _say(f"{count} succeeded; bytes sent = recorded = downloaded, by SHA-256.")
    if before := sum(receipt.ended_before(started) for receipt in receipts):
        _say(f"{before} done in an earlier run: a file that has not changed is not sent again.")
    if once:
        _say("It ends here. The URLs above work for 1 hour, while make run serves.")
    else:
        _say("The URLs above work for 1 hour, while it serves.")
        _say("Serving until Ctrl-C; the data stays for the next start.")


def _where_it_is(server: DevServer, finished: bool) -> str:
    kept = f"Stopped. The data stays in {server.data.path}"
    return kept if finished else f"{kept}\nNot every file was done: the same command again goes on where it was."


def _usual_port() -> int:
    return DEFAULT_GATEWAY_PORT if is_free(DEFAULT_GATEWAY_PORT) else free_port()


def _say(line: str) -> None:
    click.echo(line)


if __name__ == "__main__":
    main()
