"""`mediafleet upload`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import click

from mediafleet.cli import interrupts
from mediafleet.cli.connection import ENDURING, Connection, connected
from mediafleet.cli.standard_input import DASH, standard_input
from mediafleet.cli.text import labels

if TYPE_CHECKING:
    from mediafleet.errors import MediafleetError
    from mediafleet.progress import UploadProgress
    from mediafleet.sources import FileChanged
    from mediafleet.v1.uploads_pb2 import Upload

Outcome: TypeAlias = "Upload | MediafleetError | OSError | FileChanged"


class FilePath(click.Path):
    """A file, or `-`; of a folder it says which command sends it."""

    def __init__(self) -> None:
        """One that is there."""
        super().__init__(exists=True, dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, or `-` as it is."""
        if value == DASH:
            return value
        if Path(value).is_dir():
            self.fail(
                f"{click.format_filename(value)!r} is a folder; `mediafleet batch create` sends folders", param, ctx
            )
        return super().convert(value, param, ctx)


@click.command(no_args_is_help=True)
@click.argument("files", nargs=-1, required=True, type=FilePath(), metavar="FILE...")
@click.option("--name", default="", help="What the standard input is called, such as photo.jpg.")
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
def upload(
    connection: Connection, /, files: tuple[Path | str, ...], name: str, watch: bool, as_json: bool, **spec: Any
) -> None:
    """Send files; interrupted ones go on where they were.

    Five are on their way at a time. Lost connections and gateways are borne. If the command itself was interrupted, run
    it again: a file that was not changed since, sent with the same options, goes on with its upload, or is shown if it
    has arrived. Only if that upload failed, was cancelled, expired or was deleted, the file is sent anew.

    FILE may be - for the standard input, which is sent alone and needs a --name. What comes from there, or from another
    pipe, comes once, and so is sent anew each time.

    Exit code 0 if every file was accepted (with --watch: processed), 1 if any failed.
    """
    sources = _sources(files, name)
    try:
        outcomes = interrupts.run(_upload_all(connection, sources, watch, as_json, spec))
    except KeyboardInterrupt:
        if any(isinstance(file, Path) and file.is_file() for file in sources):
            click.echo("Interrupted. The same command goes on where this one stopped.", err=True)
        raise
    if not as_json:
        from mediafleet.cli.output import uploads

        uploads((outcome for _, outcome in outcomes if not isinstance(outcome, Exception)), as_json=False)
        _tell_refused(outcomes)
    if any(_failed(outcome) for _, outcome in outcomes):
        raise click.exceptions.Exit(1)


def _sources(files: tuple[Path | str, ...], name: str) -> Sequence[Path | BinaryIO]:
    # A file that is named twice is one upload, of which the two would deprive each other.
    different = list(dict.fromkeys(files))
    paths = [file for file in different if isinstance(file, Path)]
    if paths and (name or len(paths) < len(different)):
        raise click.UsageError("the standard input is sent alone, and --name is for nothing else")
    return paths or [standard_input(name)]


async def _upload_all(
    connection: Connection, files: Sequence[Path | BinaryIO], watch: bool, as_json: bool, spec: dict[str, Any]
) -> list[tuple[str, Outcome]]:
    from mediafleet.cli.bars import Bars

    found: dict[int, Outcome] = {}
    with Bars(enabled=not as_json) as bars:

        def show(place: int, progress: UploadProgress) -> None:
            bars.show(str(place), Path(files[place].name).name, progress)

        async with connection.async_client() as client:
            resume = all(isinstance(file, Path) for file in files)
            async for place, _, upload, error in client.upload_many(
                files, resume=resume, wait=watch, progress=show, **spec
            ):
                outcome = upload or error
                assert outcome is not None
                found[place] = outcome
                if as_json:
                    _print_json(files[place], outcome)
    return [(_called(file), found[place]) for place, file in enumerate(files)]


def _called(file: Path | BinaryIO) -> str:
    return str(file) if isinstance(file, Path) else DASH


def _failed(outcome: Upload | Exception) -> bool:
    from mediafleet.v1.uploads_pb2 import UploadState

    bad = (
        UploadState.UPLOAD_STATE_FAILED,
        UploadState.UPLOAD_STATE_CANCELLED,
        UploadState.UPLOAD_STATE_CANCELLING,
        UploadState.UPLOAD_STATE_EXPIRED,
    )
    return isinstance(outcome, Exception) or outcome.state in bad


def _tell_refused(outcomes: list[tuple[str, Outcome]]) -> None:
    from mediafleet.cli.failures import failure_of
    from mediafleet.cli.text import plain

    for file, outcome in outcomes:
        if isinstance(outcome, Exception) and (failure := failure_of(outcome)):
            click.echo(f"{plain(file)}: {failure.format_message()}", err=True)


def _print_json(file: Path | BinaryIO, outcome: Outcome) -> None:
    from mediafleet.cli.json_lines import json_line, json_refusal
    from mediafleet.cli.text import plain

    if isinstance(outcome, Exception):
        json_refusal(outcome, path=plain(_called(file)), display_name=plain(Path(file.name).name))
    else:
        json_line(outcome)
