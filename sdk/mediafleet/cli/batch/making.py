"""A batch from its opening to its end: the files on their way into it, and what became of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol

import click

from mediafleet.cli import interrupts
from mediafleet.cli.batch.options import Manner
from mediafleet.cli.connection import Connection
from mediafleet.cli.text import counted, plain, size

if TYPE_CHECKING:
    from mediafleet.aio import AsyncClient
    from mediafleet.cli.batch.bars import BatchBars
    from mediafleet.cli.failures import Refusal
    from mediafleet.v1.batches_pb2 import Batch


class Making(Protocol):
    """What a batch is made of. The same one is opened again when the command is run again."""

    origin: str
    """What it is called in a sentence, such as "folder"."""
    nothing: str
    """What is said where no file is meant."""
    count: int
    bytes: int

    async def opened(self, client: AsyncClient) -> Batch:
        """The batch; an earlier process may have opened it."""

    def send(self, client: AsyncClient, batch_id: str, bars: BatchBars) -> AsyncGenerator[tuple[str, Refusal], None]:
        """Brings what has not arrived; yields the path of each file that was not taken, with the reason.

        Raises what would befall the files behind it as well.
        """


def make(connection: Connection, making: Making, manner: Manner) -> None:
    """Counts, and unless it is a dry run makes the batch; exit code 1 if a file did not succeed."""
    if manner.dry_run and manner.as_json:
        click.echo(json.dumps({"files": making.count, "bytes": making.bytes}))
    elif not manner.as_json:
        click.echo(f"{counted(making.count, 'file')}, {size(making.bytes)}", err=not manner.dry_run)
    if manner.dry_run:
        return
    if not making.count:
        from mediafleet.cli.failures import Failure

        raise Failure(making.nothing)
    try:
        succeeded = interrupts.run(_make(connection, making, manner))
    except KeyboardInterrupt:
        click.echo("Interrupted. The same command goes on where this one stopped.", err=True)
        raise
    if not succeeded:
        raise click.exceptions.Exit(1)


async def _make(connection: Connection, making: Making, manner: Manner) -> bool:
    """Whether all is well."""
    from mediafleet.batches import TERMINAL_BATCH_STATES
    from mediafleet.cli.batch.bars import BatchBars
    from mediafleet.cli.batch.failures import Failures
    from mediafleet.cli.json_lines import json_line, json_refusal
    from mediafleet.errors import FailedPrecondition
    from mediafleet.v1.batches_pb2 import BatchState

    failures = Failures()
    async with connection.async_client() as client:
        batch = await making.opened(client)
        if batch.state == BatchState.BATCH_STATE_OPEN:
            click.echo(f"batch {batch.batch_id}", err=True)
        else:
            said = f"batch {batch.batch_id} of this {making.origin} is sealed already, so it takes no more files"
            click.echo(f"{said}; another --name makes a new one", err=True)
        with BatchBars(enabled=not manner.as_json) as bars:
            following = asyncio.create_task(client.batches.wait(batch.batch_id, progress=bars.show))
            try:
                async with aclosing(making.send(client, batch.batch_id, bars)) as refused:
                    async for path, error in refused:
                        failures.refused(path, error)
                        late = isinstance(error, FailedPrecondition) and error.reason == "BATCH_SEALED"
                        if manner.as_json:
                            json_refusal(error, path=plain(path), display_name=plain(path.rpartition("/")[2]))
                        elif late:
                            click.echo(f"{plain(path)} is not in it", err=True)
                        if late and batch.state == BatchState.BATCH_STATE_OPEN:
                            break  # somebody else has cancelled or sealed it, and would refuse all the others too
                batch = await client.batches.seal(batch.batch_id)
                if not manner.no_wait:
                    batch = await following
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
        if batch.state in TERMINAL_BATCH_STATES and batch.state != BatchState.BATCH_STATE_SUCCEEDED:
            async for row in client.batches.report(batch.batch_id):
                failures.member(row)
    if manner.as_json:
        json_line(batch)
    else:
        from mediafleet.cli.batch.output import batches

        batches([batch])
        failures.show()
    return not failures
