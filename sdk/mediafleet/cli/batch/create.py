"""`mediafleet batch create`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mediafleet.cli.batch.making import make
from mediafleet.cli.batch.options import About, Manner, making_a_batch
from mediafleet.cli.batch.scanning import Choice, scan
from mediafleet.cli.connection import ENDURING, Connection, connected

if TYPE_CHECKING:
    from mediafleet.uploading import Transfer


@click.command(no_args_is_help=True)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR")
@making_a_batch
@click.option(
    "--transfer",
    type=click.Choice(["auto", "stream", "direct"]),
    default="auto",
    show_default=True,
    help="Way of the bytes; see `mediafleet upload`.",
)
@connected(ENDURING)
def create(
    connection: Connection, folder: Path, choice: Choice, about: About, manner: Manner, transfer: Transfer
) -> None:
    """Send the files of a folder as one batch, and follow it to its end.

    Finds files in subfolders too, but no hidden ones; links that lead out of the folder are not followed. Patterns
    without a slash are for names, others for paths within DIR. Five files are on their way at a time.

    If it was interrupted, run it again: the same folder with the same options is the same batch. What has arrived is
    not read again, what was on its way goes on. A batch that is sealed already is followed to its end.

    Exit code 0 if every file succeeded, 1 otherwise.
    """
    from mediafleet.cli.batch.sending import FolderMaking

    folder = folder.resolve()
    make(connection, FolderMaking(folder, list(scan(folder, choice)), choice, about, transfer), manner)
