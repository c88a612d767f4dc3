"""`mediafleet webhooks`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from mediafleet.cli.connection import BRIEF, Connection, connected
from mediafleet.cli.text import span


@click.group()
def webhooks() -> None:
    """Messages to other systems about uploads and batches that ended."""


@webhooks.command()
@click.option(
    "--since",
    required=True,
    callback=span,
    metavar="SPAN",
    help="How far back, such as 90m or 2d; messages are kept for 7 days.",
)
@click.option("--failed", is_flag=True, help="Only those that were tried and not delivered.")
@click.option("--tenant", default="", help="Of another tenant; needs the scope admin.")
@connected(BRIEF)
def replay(connection: Connection, since: timedelta, failed: bool, tenant: str) -> None:
    """Send messages again, under their first ids."""
    with connection.client() as client:
        count = client.replay_webhooks(datetime.now(UTC) - since, only_failed=failed, tenant=tenant)
    click.echo(f"{count} {'message' if count == 1 else 'messages'} to be sent again")
