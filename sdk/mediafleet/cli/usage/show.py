"""`mediafleet usage show`, which `mediafleet usage` is short for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mediafleet.cli import interrupts
from mediafleet.cli.connection import ENDURING, Connection, connected

if TYPE_CHECKING:
    from rich.table import Table

    from mediafleet.v1.usage_pb2 import Usage


@click.command()
@click.option("--collection", default="", help="Of one collection only.")
@click.option("--bucket", "whole_bucket", is_flag=True, help="Of all tenants; needs the scope admin.")
@click.option("--refresh", is_flag=True, help="Look at the storage anew; with --bucket list it and compare.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@connected(ENDURING)
def show(connection: Connection, collection: str, whole_bucket: bool, refresh: bool, as_json: bool) -> None:
    """Show what is stored now, and what it costs."""
    from mediafleet.cli import output
    from mediafleet.cli.json_lines import json_line
    from mediafleet.cli.text import plain
    from mediafleet.cli.usage.refreshing import refreshed
    from mediafleet.v1.usage_pb2 import StorageState

    if whole_bucket and collection:
        raise click.UsageError("--bucket and --collection exclude each other")
    reconciled = True
    if whole_bucket and refresh:
        figures, reconciled = interrupts.run(refreshed(connection))
    else:
        with connection.client() as client:
            figures = client.usage(collection=collection, whole_bucket=whole_bucket, refresh=refresh)
    if as_json:
        json_line(figures)
        return
    output.show(_amounts(figures))
    click.echo()
    output.show(_costs(figures))
    if not reconciled:
        click.echo("the bucket was not reconciled: no worker does it now, or the storage fails; see the logs", err=True)
    state = StorageState.Name(figures.storage_state).removeprefix("STORAGE_STATE_")
    if state not in ("OK", "UNSPECIFIED"):
        click.echo(f"storage {state}: {plain(figures.storage_message)}", err=True)


def _amounts(figures: Usage) -> Table:
    from rich.text import Text

    from mediafleet.cli.output import grid
    from mediafleet.cli.text import plain, size
    from mediafleet.v1.uploads_pb2 import MediaKind

    table = grid("stored", "size", "objects")
    table.add_row("all", size(figures.bytes), str(figures.objects))
    table.add_row("originals", size(figures.originals.bytes), str(figures.originals.objects))
    table.add_row("renditions", size(figures.renditions.bytes), str(figures.renditions.objects))
    if figures.reserved_bytes:
        table.add_row("being received", size(figures.reserved_bytes), "")
    for kind in figures.per_kind:
        name = MediaKind.Name(kind.kind).removeprefix("MEDIA_KIND_").lower()
        table.add_row(f"  {name}", size(kind.bytes), str(kind.objects))
    for each in figures.per_collection:
        table.add_row(Text(f"  in {plain(each.collection) or '(no collection)'}"), size(each.bytes), str(each.objects))
    if figures.HasField("bookkeeping"):
        table.add_row("bookkeeping", size(figures.bookkeeping.bytes), str(figures.bookkeeping.objects))
    return table


def _costs(figures: Usage) -> Table:
    from mediafleet.cli.output import grid
    from mediafleet.cli.text import plain, size

    table = grid("this month", "")
    table.add_row("operations", f"{figures.class_a_operations} of class A, {figures.class_b_operations} of class B")
    if figures.price_date:
        cost = f"{figures.estimated_monthly_cost:.2f} USD, at prices of {plain(figures.price_date)}"
        table.add_row("estimated cost", cost)
    if figures.HasField("reconcile_time"):
        drift = figures.drift
        sign = "-" if drift.bytes < 0 else "+"
        found = (
            f"{sign}{size(abs(drift.bytes))}, {drift.objects:+} objects" if drift.bytes or drift.objects else "nothing"
        )
        table.add_row("reconciled", f"{figures.reconcile_time.ToDatetime():%Y-%m-%d %H:%M:%S} UTC")
        table.add_row("the bucket differs by", found)
    if figures.HasField("reconcile_progress"):
        progress = figures.reconcile_progress
        table.add_row("reconciling", f"{progress.objects_listed} of about {progress.objects_expected} objects listed")
    return table
