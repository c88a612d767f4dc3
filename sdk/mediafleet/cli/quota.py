"""`mediafleet quota`."""

from __future__ import annotations

import click

from mediafleet.cli.connection import BRIEF, Connection, connected


@click.command()
@click.option("--collection", default="", help="Those of a collection as well.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@connected(BRIEF)
def quota(connection: Connection, collection: str, as_json: bool) -> None:
    """Show the tenant's limits and what is left of them."""
    from mediafleet.cli.json_lines import json_line
    from mediafleet.cli.output import grid, show
    from mediafleet.cli.text import plain, size

    with connection.client() as client:
        found = client.quota(collection=collection)
    if as_json:
        json_line(found)
        return
    table = grid("quota", "used", "limit", "left", "share")
    for each in found.limits:
        share = f"{100 * each.used / each.limit:.1f} %" if each.limit else ""
        left = size(max(0, each.limit - each.used))
        table.add_row(plain(each.quota_id), size(each.used), size(each.limit), left, share)
    show(table)
