"""Commands on batches that are there: `list`, `show`, `watch`, `seal`, `cancel`, `retry`."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import click

from mediafleet.cli import interrupts
from mediafleet.cli.connection import BRIEF, ENDURING, Connection, connected
from mediafleet.cli.filters import any_of, labelled, limited
from mediafleet.cli.text import counted

if TYPE_CHECKING:
    from mediafleet.v1.batches_pb2 import Batch

STATES = ("OPEN", "SEALED", "SUCCEEDED", "PARTIALLY_FAILED", "FAILED", "CANCELLED")

_id = click.argument("batch_id", metavar="ID")
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")


def _print(batch: Batch, as_json: bool) -> None:
    from mediafleet.cli.batch.output import batches

    batches([batch], as_json)


@click.command(name="list")
@any_of("--state", "states", STATES)
@click.option("--collection", default="", help="Of this collection.")
@labelled
@click.option("--text", default="", help="Part of the name.")
@limited
@_json
@connected(BRIEF)
def list_batches(
    connection: Connection,
    states: tuple[str, ...],
    collection: str,
    labels: dict[str, str],
    text: str,
    limit: int,
    as_json: bool,
) -> None:
    """List batches, newest first; filters are combined."""
    from mediafleet.cli.batch.output import batches
    from mediafleet.v1.batches_pb2 import BatchFilter, BatchState

    wanted = BatchFilter(
        states=[BatchState.Value(f"BATCH_STATE_{state.upper()}") for state in states],
        collection=collection,
        labels=labels,
        text=text,
    )
    with connection.client() as client:
        found = list(islice(client.batches.list(wanted, page_size=min(limit, 1000)), limit))
    if found or as_json:
        batches(found, as_json)
    else:
        click.echo("no batches", err=True)


@click.command(no_args_is_help=True)
@_id
@_json
@connected(BRIEF)
def show(connection: Connection, batch_id: str, as_json: bool) -> None:
    """Show a batch as it is now, with its files at work."""
    with connection.client() as client:
        batch = client.batches.get(batch_id)
    if as_json:
        _print(batch, as_json)
        return
    from rich.console import Console

    from mediafleet.cli.batch.bars import picture

    _print(batch, as_json)
    if not batch.HasField("finish_time"):
        Console(highlight=False).print(picture(batch, None))


@click.command(no_args_is_help=True)
@_id
@click.option("--json", "as_json", is_flag=True, help="One JSON object per event and line; no bars.")
@connected(ENDURING)
def watch(connection: Connection, batch_id: str, as_json: bool) -> None:
    """Follow a batch until it ends.

    Exit code 0 if every file succeeded, 1 if any did not.
    """
    from mediafleet.v1.batches_pb2 import BatchState

    batch = interrupts.run(_watch(connection, batch_id, as_json))
    if not as_json:
        _print(batch, as_json)
    if batch.state != BatchState.BATCH_STATE_SUCCEEDED:
        raise click.exceptions.Exit(1)


async def _watch(connection: Connection, batch_id: str, as_json: bool) -> Batch:
    from mediafleet.batches import applied
    from mediafleet.cli.batch.bars import BatchBars
    from mediafleet.cli.json_lines import json_line
    from mediafleet.v1.batches_pb2 import Batch

    batch = Batch(batch_id=batch_id)
    with BatchBars(enabled=not as_json) as bars:
        async with connection.async_client() as client:
            async for event in client.batches.watch(batch_id):
                batch = applied(event, batch)
                bars.show(batch)
                if as_json:
                    json_line(event)
    return batch


@click.command(no_args_is_help=True)
@_id
@_json
@connected(BRIEF)
def seal(connection: Connection, batch_id: str, as_json: bool) -> None:
    """Let no more files join, so that the batch can end."""
    with connection.client() as client:
        _print(client.batches.seal(batch_id), as_json)


@click.command(no_args_is_help=True)
@_id
@click.option("--reason", default="", help="Why, for people.")
@_json
@connected(ENDURING)
def cancel(connection: Connection, batch_id: str, reason: str, as_json: bool) -> None:
    """Stop every file of a batch; none is started any more."""
    with connection.client() as client:
        _print(client.batches.cancel(batch_id, reason=reason), as_json)


@click.command(no_args_is_help=True)
@_id
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@connected(ENDURING)
def retry(connection: Connection, batch_id: str, as_json: bool) -> None:
    """Work on the failed files of a batch again, on those alone."""
    from mediafleet.cli.json_lines import json_line

    with connection.client() as client:
        answer = client.batches.retry(batch_id)
    if as_json:
        json_line(answer)
        return
    click.echo(f"{counted(answer.retried_items, 'file')} queued again", err=True)
    _print(answer.batch, as_json)
