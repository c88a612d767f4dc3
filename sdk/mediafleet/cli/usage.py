"""`mediafleet usage`."""

from __future__ import annotations

import click

from mediafleet.cli.connection import ENDURING, Connection, connected


@click.command()
@click.option("--collection", default="", help="Of one collection only.")
@click.option("--bucket", "whole_bucket", is_flag=True, help="Of all tenants; needs the scope admin.")
@click.option("--refresh", is_flag=True, help="Pass by cached figures.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@connected(ENDURING)
def usage(connection: Connection, collection: str, whole_bucket: bool, refresh: bool, as_json: bool) -> None:
    """Show what is stored."""
    from rich.text import Text

    from mediafleet.cli.output import grid, json_line, show
    from mediafleet.cli.text import plain, size
    from mediafleet.v1.uploads_pb2 import MediaKind
    from mediafleet.v1.usage_pb2 import StorageState

    with connection.client() as client:
        figures = client.usage(collection=collection, whole_bucket=whole_bucket, refresh=refresh)
    if as_json:
        json_line(figures)
        return
    table = grid("stored", "size", "objects")
    table.add_row("all", size(figures.bytes), str(figures.objects))
    table.add_row("originals", size(figures.originals.bytes), str(figures.originals.objects))
    table.add_row("renditions", size(figures.renditions.bytes), str(figures.renditions.objects))
    if figures.reserved_bytes:
        table.add_row("being received", size(figures.reserved_bytes), "")
    for kind in figures.per_kind:
        if not kind.objects:
            continue
        name = MediaKind.Name(kind.kind).removeprefix("MEDIA_KIND_").lower()
        table.add_row(f"  {name}", size(kind.bytes), str(kind.objects))
    for each in figures.per_collection:
        table.add_row(Text(f"  in {plain(each.collection) or '(no collection)'}"), size(each.bytes), str(each.objects))
    show(table)
    state = StorageState.Name(figures.storage_state).removeprefix("STORAGE_STATE_")
    if state not in ("OK", "UNSPECIFIED"):
        click.echo(f"storage {state}: {plain(figures.storage_message)}", err=True)
