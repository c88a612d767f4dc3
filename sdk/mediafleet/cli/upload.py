"""`mediafleet upload`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mediafleet.cli.connection import Connection, connected
from mediafleet.cli.text import labels

if TYPE_CHECKING:
    from mediafleet.errors import MediafleetError
    from mediafleet.v1.uploads_pb2 import Upload

AT_ONCE = 5
"""Files on their way at a time."""


@click.command(no_args_is_help=True)
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE..."
)
@click.option("--watch", is_flag=True, help="Wait until every file is processed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per file and line; no bars.")
@click.option("--collection", default="", help="Collection to put the files into.")
@click.option("--caption", default="", help="Text for people.")
@click.option("--label", "labels", multiple=True, callback=labels, metavar="KEY=VALUE", help="Mark; may be repeated.")
@click.option("--batch", "batch_id", default="", metavar="ID", help="Batch to join.")
@connected
def upload(connection: Connection, /, files: tuple[Path, ...], watch: bool, as_json: bool, **spec: Any) -> None:
    """Send files, five at a time, and resume by itself.

    Exit code 0 if every file was accepted (with --watch: processed), 1 if any failed.
    """
    outcomes = asyncio.run(_upload_all(connection, files, watch, as_json, spec))
    if not as_json:
        from mediafleet.cli.output import grid, row, show

        table = grid("upload", "name", "size", "state", "done", "result")
        for _, outcome in outcomes:
            if not isinstance(outcome, Exception):
                table.add_row(*row(outcome))
        if table.row_count:
            show(table)
        _tell_refused(outcomes)
    if any(_failed(outcome) for _, outcome in outcomes):
        raise click.exceptions.Exit(1)


async def _upload_all(
    connection: Connection, files: tuple[Path, ...], watch: bool, as_json: bool, spec: dict[str, Any]
) -> list[tuple[Path, Upload | MediafleetError | OSError]]:
    from mediafleet.cli.bars import Bars
    from mediafleet.errors import MediafleetError

    places = asyncio.Semaphore(AT_ONCE)

    async def one(index: int, file: Path) -> tuple[Path, Upload | MediafleetError | OSError]:
        outcome: Upload | MediafleetError | OSError
        async with places:
            try:
                outcome = await client.upload(
                    file, wait=watch, progress=lambda progress: bars.show(str(index), file.name, progress), **spec
                )
            except (MediafleetError, OSError) as error:
                outcome = error
        if as_json:
            _print_json(file, outcome)
        return file, outcome

    with Bars(enabled=not as_json) as bars:
        async with connection.async_client() as client:
            return await asyncio.gather(*(one(index, file) for index, file in enumerate(files)))


def _failed(outcome: Upload | Exception) -> bool:
    from mediafleet.v1.uploads_pb2 import UploadState

    bad = (
        UploadState.UPLOAD_STATE_FAILED,
        UploadState.UPLOAD_STATE_CANCELLED,
        UploadState.UPLOAD_STATE_CANCELLING,
        UploadState.UPLOAD_STATE_EXPIRED,
    )
    return isinstance(outcome, Exception) or outcome.state in bad


def _tell_refused(outcomes: list[tuple[Path, Upload | MediafleetError | OSError]]) -> None:
    from mediafleet.cli.failures import failure_of
    from mediafleet.cli.text import plain

    for file, outcome in outcomes:
        if isinstance(outcome, Exception) and (failure := failure_of(outcome)):
            click.echo(f"{plain(file.name)}: {failure.format_message()}", err=True)


def _print_json(file: Path, outcome: Upload | MediafleetError | OSError) -> None:
    from mediafleet.cli.output import json_line
    from mediafleet.errors import MediafleetError

    if isinstance(outcome, MediafleetError):
        error = {"code": outcome.code.name, "reason": outcome.reason, "message": outcome.message}
        click.echo(json.dumps({"display_name": file.name, "error": error}, ensure_ascii=False))
    elif isinstance(outcome, OSError):
        error = {"code": "", "reason": "FILE_UNREADABLE", "message": outcome.strerror or "cannot be read"}
        click.echo(json.dumps({"display_name": file.name, "error": error}, ensure_ascii=False))
    else:
        json_line(outcome)
