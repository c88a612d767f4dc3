"""`mediafleet batch`: folders, and prefixes of the bucket, as one piece of work."""

from __future__ import annotations

import click

from mediafleet.cli.batch import commands, create, importing, report

batch = click.Group(
    "batch",
    help="Send whole folders and follow, cancel, retry or report them as one.",
    short_help="Send whole folders and follow them as one.",
    commands=[
        create.create,
        importing.import_,
        commands.list_batches,
        commands.show,
        commands.watch,
        commands.seal,
        commands.cancel,
        commands.retry,
        report.report,
    ],
)
