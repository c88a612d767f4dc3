"""Commands on uploads that are there: `status`, `list`, `cancel`, `rm`, `url`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING

import click

from mediafleet.cli.connection import BRIEF, Connection, connected
from mediafleet.cli.filters import any_of, filtered
from mediafleet.cli.text import MOST_ROWS, span

if TYPE_CHECKING:
    from mediafleet.v1.uploads_pb2 import Upload, UploadFilter

STATES = ("RECEIVING", "QUEUED", "PROCESSING", "CANCELLING", "SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")

SHOWN = 50
"""Uploads of a list for people, unless they say otherwise."""

PAGE = 1000
"""Uploads that one call answers at most."""

_ids = click.argument("upload_ids", nargs=-1, required=True, metavar="ID...")
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")


def _print(found: Iterator[Upload], as_json: bool) -> None:
    from mediafleet.cli.output import uploads

    uploads(found, as_json)


def print_each(upload_ids: tuple[str, ...], call: Callable[[str], Upload], as_json: bool) -> None:
    """Prints the answer for each id, and on stderr why there is none; exit code 1 if one was refused."""
    from mediafleet.cli.failures import explained
    from mediafleet.cli.text import plain
    from mediafleet.errors import FailedPrecondition, InvalidArgument, NotFound

    refused: list[str] = []

    def answers() -> Iterator[Upload]:
        for upload_id in upload_ids:
            try:
                yield call(upload_id)
            except (FailedPrecondition, InvalidArgument, NotFound) as error:
                refused.append(f"mediafleet: {plain(upload_id)}: {explained(error)}")

    _print(answers(), as_json)
    for line in refused:
        click.echo(line, err=True)
    if refused:
        raise click.exceptions.Exit(1)


@click.command(no_args_is_help=True)
@_ids
@_json
@connected(BRIEF)
def status(connection: Connection, upload_ids: tuple[str, ...], as_json: bool) -> None:
    """Show uploads as they are now."""
    with connection.client() as client:
        print_each(upload_ids, client.get, as_json)


@click.command(name="list")
@any_of("--state", "states", STATES)
@filtered
@click.option(
    "--limit", type=click.IntRange(min=1, max=MOST_ROWS), help="At most so many; 50, or all for --json and --csv."
)
@_json
@click.option("--csv", "as_csv", is_flag=True, help="For spreadsheets, with a line of names first.")
@connected(BRIEF)
def list_uploads(
    connection: Connection,
    states: tuple[str, ...],
    which: UploadFilter,
    limit: int | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """List uploads, newest first; filters are combined."""
    from mediafleet.v1.uploads_pb2 import UploadState

    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    if limit is None and not (as_json or as_csv):
        limit = SHOWN

    which.states.extend(UploadState.Value(f"UPLOAD_STATE_{state.upper()}") for state in states)
    with connection.client() as client:
        found = islice(client.list(which, page_size=min(limit or PAGE, PAGE)), limit)
        if as_csv:
            from mediafleet.cli import spreadsheet

            spreadsheet.write(spreadsheet.UPLOAD_COLUMNS, map(spreadsheet.upload_row, found))
            return
        first = next(found, None)
        if first is not None:
            _print(chain([first], found), as_json)
        elif not as_json:
            click.echo("no uploads", err=True)


@click.command(no_args_is_help=True)
@_ids
@click.option("--reason", default="", help="Why, for people.")
@_json
@connected(BRIEF)
def cancel(connection: Connection, upload_ids: tuple[str, ...], reason: str, as_json: bool) -> None:
    """Stop uploads, also running ones."""
    with connection.client() as client:
        print_each(upload_ids, lambda upload_id: client.cancel(upload_id, reason=reason), as_json)


@click.command(no_args_is_help=True)
@_ids
@_json
@connected(BRIEF)
def rm(connection: Connection, upload_ids: tuple[str, ...], as_json: bool) -> None:
    """Delete uploads with everything that was made from them.

    Prints them as they last were.
    """
    with connection.client() as client:
        print_each(upload_ids, client.delete, as_json)


@click.command(no_args_is_help=True)
@click.argument("upload_id", metavar="ID")
@click.option("--rendition", default="", help="Such as small; without it the original.")
@click.option("--expires-in", callback=span, metavar="SPAN", help="Such as 30m or 12h; 1h by default, at most 24h.")
@click.option("--attachment", is_flag=True, help="Browsers save the file and do not show it.")
@connected(BRIEF)
def url(connection: Connection, upload_id: str, rendition: str, expires_in: timedelta | None, attachment: bool) -> None:
    """Print a URL that downloads the file without credentials.

    To be kept as a secret.
    """
    with connection.client() as client:
        click.echo(client.download_url(upload_id, rendition, expires_in=expires_in, as_attachment=attachment))
