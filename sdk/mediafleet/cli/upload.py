"""`mediafleet upload`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from mediafleet.cli import interrupts
from mediafleet.cli.connection import ENDURING, Connection, connected
from mediafleet.cli.text import labels

if TYPE_CHECKING:
    from mediafleet.errors import MediafleetError
    from mediafleet.progress import UploadProgress
    from mediafleet.sources import FileChanged
    from mediafleet.v1.uploads_pb2 import Upload

Outcome: TypeAlias = "Upload | MediafleetError | OSError | FileChanged"


class FilePath(click.Path):
    """A file; of a folder it says which command sends it."""

    def __init__(self) -> None:
        """One that is there."""
        super().__init__(exists=True, dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        if Path(value).is_dir():
            self.fail(
                f"{click.format_filename(value)!r} is a folder; `mediafleet batch create` sends folders", param, ctx
            )
        return super().convert(value, param, ctx)


@click.command(no_args_is_help=True)
@click.argument("files", nargs=-1, required=True, type=FilePath(), metavar="FILE...")
@click.option("--watch", is_flag=True, help="Wait until every file is processed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per file and line; no bars.")
@click.option("--collection", default="", help="Collection to put the files into.")
@click.option("--caption", default="", help="Text for people.")
@click.option("--label", "labels", multiple=True, callback=labels, metavar="KEY=VALUE", help="Mark; may be repeated.")
@click.option("--batch", "batch_id", default="", metavar="ID", help="Batch to join.")
@click.option(
    "--transfer",
    type=click.Choice(["auto", "stream", "direct"]),
    default="auto",
    show_default=True,
    help="Way of the bytes: through the gateway, straight to the storage, or as fits the file.",
)
@connected(ENDURING)
def upload(connection: Connection, /, files: tuple[Path, ...], watch: bool, as_json: bool, **spec: Any) -> None:
    """Send files; interrupted ones go on where they were.

    Five are on their way at a time. Lost connections and gateways are borne. If the command itself was interrupted, run
    it again: a file that was not changed since, sent with the same options, goes on with its upload, or is shown if it
    has arrived. Only if that upload failed, was cancelled, expired or was deleted, the file is sent anew.

    Exit code 0 if every file was accepted (with --watch: processed), 1 if any failed.
    """
    # A file that is named twice is one upload, of which the two would deprive each other.
    try:
        outcomes = interrupts.run(_upload_all(connection, tuple(dict.fromkeys(files)), watch, as_json, spec))
    except KeyboardInterrupt:
        click.echo("Interrupted. The same command goes on where this one stopped.", err=True)
        raise
    if not as_json:
        from mediafleet.cli.output import uploads

        uploads((outcome for _, outcome in outcomes if not isinstance(outcome, Exception)), as_json=False)
        _tell_refused(outcomes)
    if any(_failed(outcome) for _, outcome in outcomes):
        raise click.exceptions.Exit(1)


async def _upload_all(
    connection: Connection, files: tuple[Path, ...], watch: bool, as_json: bool, spec: dict[str, Any]
) -> list[tuple[Path, Outcome]]:
    from mediafleet.cli.bars import Bars

    found: dict[int, Outcome] = {}
    with Bars(enabled=not as_json) as bars:

        def show(place: int, progress: UploadProgress) -> None:
            bars.show(str(place), files[place].name, progress)

        async with connection.async_client() as client:
            async for place, _, upload, error in client.upload_many(
                files, resume=True, wait=watch, progress=show, **spec
            ):
                outcome = upload or error
                assert outcome is not None
                found[place] = outcome
                if as_json:
                    _print_json(files[place], outcome)
    return [(file, found[place]) for place, file in enumerate(files)]


def _failed(outcome: Upload | Exception) -> bool:
    from mediafleet.v1.uploads_pb2 import UploadState

    bad = (
        UploadState.UPLOAD_STATE_FAILED,
        UploadState.UPLOAD_STATE_CANCELLED,
        UploadState.UPLOAD_STATE_CANCELLING,
        UploadState.UPLOAD_STATE_EXPIRED,
    )
    return isinstance(outcome, Exception) or outcome.state in bad


def _tell_refused(outcomes: list[tuple[Path, Outcome]]) -> None:
    from mediafleet.cli.failures import failure_of
    from mediafleet.cli.text import plain

    for file, outcome in outcomes:
        if isinstance(outcome, Exception) and (failure := failure_of(outcome)):
            click.echo(f"{plain(str(file))}: {failure.format_message()}", err=True)


def _print_json(file: Path, outcome: Outcome) -> None:
    from mediafleet.cli.json_lines import json_line, json_refusal
    from mediafleet.cli.text import plain

    if isinstance(outcome, Exception):
        json_refusal(outcome, path=plain(str(file)), display_name=plain(file.name))
    else:
        json_line(outcome)
