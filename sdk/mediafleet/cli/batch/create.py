"""`mediafleet batch create`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import click

from mediafleet.cli.batch.scanning import TYPES, Choice, Found, scan
from mediafleet.cli.connection import ENDURING, Connection, connected
from mediafleet.cli.text import labels, plain, size


def types(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    """Reads an option that names kinds of media or media types, separated by commas."""
    named = tuple(dict.fromkeys(each.strip().lower() for value in values for each in value.split(",") if each.strip()))
    for each in named:
        if each not in TYPES and "/" not in each:
            raise click.BadParameter(f"{each!r} is none of {', '.join(TYPES)} and no media type", ctx, param)
    return named


@click.command(no_args_is_help=True)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR")
@click.option("--name", default="", help="Of the batch, by default the folder's. Another name makes another batch.")
@click.option(
    "--type",
    "types",
    multiple=True,
    callback=types,
    metavar="TYPE,...",
    help=f"Only {', '.join(TYPES)}, or a media type such as image/png; by the names of the files.",
)
@click.option("--include", multiple=True, metavar="GLOB", help="Only such files; may be repeated, for any of them.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Without such files; may be repeated.")
@click.option("--collection", default="", help="Collection to put the files into.")
@click.option("--label", "labels", multiple=True, callback=labels, metavar="KEY=VALUE", help="Mark of every file.")
@click.option(
    "--transfer",
    type=click.Choice(["auto", "stream", "direct"]),
    default="auto",
    show_default=True,
    help="Way of the bytes; see `mediafleet upload`.",
)
@click.option("--dry-run", is_flag=True, help="Only count files and bytes.")
@click.option("--no-wait", is_flag=True, help="End when everything is sent.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, after one for each file that was not taken.")
@connected(ENDURING)
def create(
    connection: Connection,
    /,
    folder: Path,
    types: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    dry_run: bool,
    no_wait: bool,
    as_json: bool,
    **about: Any,
) -> None:
    """Send the files of a folder as one batch, and follow it to its end.

    Finds files in subfolders too, but no hidden ones; links that lead out of the folder are not followed. Patterns
    without a slash are for names, others for paths within DIR. Five files are on their way at a time.

    If it was interrupted, run it again: the same folder with the same options is the same batch. What has arrived is
    not read again, what was on its way goes on. A batch that is sealed already is followed to its end.

    Exit code 0 if every file succeeded, 1 otherwise.
    """
    choice, folder = Choice(types, include, exclude), folder.resolve()
    files = list(scan(folder, choice))
    total = sum(file.size for file in files)
    if dry_run and as_json:
        click.echo(json.dumps({"files": len(files), "bytes": total}))
    elif not as_json:
        click.echo(f"{len(files)} files, {size(total)}", err=not dry_run)
    if dry_run:
        return
    if not files:
        raise click.ClickException("there is nothing to send")
    try:
        succeeded = asyncio.run(_run(connection, folder, files, choice, no_wait, as_json, about))
    except KeyboardInterrupt:
        click.echo("Interrupted. The same command goes on where this one stopped.", err=True)
        raise
    if not succeeded:
        raise click.exceptions.Exit(1)


async def _run(
    connection: Connection,
    folder: Path,
    files: list[Found],
    choice: Choice,
    no_wait: bool,
    as_json: bool,
    about: dict[str, Any],
) -> bool:
    """Whether all is well."""
    from mediafleet.batches import TERMINAL_BATCH_STATES
    from mediafleet.cli.batch.bars import BatchBars
    from mediafleet.cli.batch.failures import Failures
    from mediafleet.cli.batch.sending import opened, send
    from mediafleet.cli.output import json_line, json_refusal
    from mediafleet.errors import FailedPrecondition
    from mediafleet.v1.batches_pb2 import BatchState

    failures = Failures()
    async with connection.async_client() as client:
        batch = await opened(client, folder, choice, len(files), **about)
        if batch.state == BatchState.BATCH_STATE_OPEN:
            click.echo(f"batch {batch.batch_id}", err=True)
        else:
            said = f"batch {batch.batch_id} of this folder is sealed already, so it takes no more files"
            click.echo(f"{said}; another --name makes a new one", err=True)
        with BatchBars(enabled=not as_json) as bars:
            following = asyncio.create_task(client.batches.wait(batch.batch_id, progress=bars.show))
            try:
                async with aclosing(send(client, files, batch.batch_id, bars, **about)) as refused:
                    async for name, error in refused:
                        failures.refused(name, error)
                        late = isinstance(error, FailedPrecondition) and error.reason == "BATCH_SEALED"
                        if as_json:
                            json_refusal(error, display_name=plain(name))
                        elif late:
                            click.echo(f"{plain(name)} is not in it", err=True)
                        if late and batch.state == BatchState.BATCH_STATE_OPEN:
                            break  # somebody else has cancelled or sealed it, and would refuse all the others too
                batch = await client.batches.seal(batch.batch_id)
                if not no_wait:
                    batch = await following
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
        if batch.state in TERMINAL_BATCH_STATES and batch.state != BatchState.BATCH_STATE_SUCCEEDED:
            async for row in client.batches.report(batch.batch_id):
                failures.member(row)
    if as_json:
        json_line(batch)
    else:
        from mediafleet.cli.batch.output import batches

        batches([batch])
        failures.show()
    return not failures
