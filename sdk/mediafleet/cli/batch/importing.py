"""`mediafleet batch import`."""

from __future__ import annotations

import click

from mediafleet.cli import interrupts
from mediafleet.cli.batch.making import make
from mediafleet.cli.batch.options import About, Manner, making_a_batch
from mediafleet.cli.batch.scanning import Choice
from mediafleet.cli.connection import ENDURING, Connection, connected


@click.command(name="import", no_args_is_help=True, short_help="Make a batch of objects in the bucket.")
@click.argument("prefix", metavar="PREFIX")
@making_a_batch
@connected(ENDURING)
def import_(connection: Connection, prefix: str, choice: Choice, about: About, manner: Manner) -> None:
    """Make a batch of objects that lie in the bucket already, and follow it to its end.

    PREFIX is what their keys begin with in the folder that your tenant has in imports/, such as 2026/may/; a single
    slash means all. They are copied within the storage, five at a time, and stay as they are. Nothing hidden is taken.
    Patterns without a slash are for names, others for paths below PREFIX.

    If it was interrupted, run it again, on any machine: the same PREFIX with the same options is the same batch, and
    what has arrived is not copied again. A batch that is sealed already is followed to its end.

    Exit code 0 if every file succeeded, 1 otherwise.
    """
    from mediafleet.cli.batch.taking import PrefixMaking, importables

    prefix = prefix.lstrip("/")
    found = interrupts.run(importables(connection, prefix, choice))
    make(connection, PrefixMaking(prefix, found, choice, about), manner)
