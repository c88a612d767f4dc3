"""`mediafleet usage history`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, cast

import click

from mediafleet.cli.connection import BRIEF, Connection, connected
from mediafleet.cli.text import moment

if TYPE_CHECKING:
    from mediafleet.usage import Granularity
    from mediafleet.v1.usage_pb2 import UsagePoint

LEVELS = "▁▂▃▄▅▆▇█"
"""Of a line of blocks, from nothing to the most."""

_TIMES = {"hour": "%Y-%m-%d %H:00", "day": "%Y-%m-%d", "month": "%Y-%m"}


@click.command()
@click.option(
    "--by", "granularity", default="day", show_default=True, type=click.Choice(list(_TIMES)), help="Width of a step."
)
@click.option(
    "--since",
    callback=moment,
    metavar="TIME",
    help="2026-07-01 (UTC), or a span ago such as 90d; 30d unless given. Hours are kept for 14 days, days for 400.",
)
@click.option("--before", callback=moment, metavar="TIME", help="Steps that begin earlier than then.")
@click.option("--collection", default="", help="Of one collection only.")
@click.option("--bucket", "whole_bucket", is_flag=True, help="Of all tenants; needs the scope admin.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@connected(BRIEF)
def history(
    connection: Connection,
    granularity: str,
    since: datetime | None,
    before: datetime | None,
    collection: str,
    whole_bucket: bool,
    as_json: bool,
) -> None:
    """Show what was stored at the end of each hour, day or month."""
    from mediafleet.cli.json_lines import json_line
    from mediafleet.cli.output import grid, show
    from mediafleet.cli.text import size

    if whole_bucket and collection:
        raise click.UsageError("--bucket and --collection exclude each other")
    with connection.client() as client:
        points = client.usage_history(
            since,
            before=before,
            granularity=cast("Granularity", granularity),
            collection=collection,
            whole_bucket=whole_bucket,
        )
        if as_json:
            for point in points:
                json_line(point)
            return
        found = list(points)
    if not found:
        click.echo("nothing is known of that time", err=True)
        return
    click.echo(sparkline([_bytes(point) for point in found]))
    table = grid("from", "size", "objects", "class A", "class B")
    for point in found:
        objects = point.originals.objects + point.renditions.objects
        operations = str(point.class_a_operations), str(point.class_b_operations)
        begin = point.start_time.ToDatetime().strftime(_TIMES[granularity])
        table.add_row(begin, size(_bytes(point)), str(objects), *operations)
    show(table)


def sparkline(amounts: Sequence[int]) -> str:
    """A block for each amount, as high as its share of the largest."""
    most = max(amounts, default=0) or 1
    return "".join(LEVELS[round(amount / most * (len(LEVELS) - 1))] for amount in amounts)


def _bytes(point: UsagePoint) -> int:
    return point.originals.bytes + point.renditions.bytes
