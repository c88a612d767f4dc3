"""`mediafleet webhooks`."""

from __future__ import annotations

from datetime import datetime

import click

from mediafleet.cli.connection import BRIEF, Connection, connected
from mediafleet.cli.text import counted, moment


@click.group(short_help="Send messages to other systems again.")
def webhooks() -> None:
    """Messages to other systems about uploads and batches that ended."""


@webhooks.command()
@click.option(
    "--since",
    required=True,
    callback=moment,
    metavar="TIME",
    help="A time such as 2026-07-01T12:00 (UTC unless it says otherwise), or a span ago such as 90m; at most 7 days.",
)
@click.option("--failed", is_flag=True, help="Only those that were tried and not delivered.")
@click.option("--tenant", default="", help="Of another tenant; needs the scope admin.")
@connected(BRIEF)
def replay(connection: Connection, since: datetime, failed: bool, tenant: str) -> None:
    """Send messages again, under their first ids."""
    with connection.client() as client:
        count = client.notifications.replay_webhooks(since, only_failed=failed, tenant=tenant)
    click.echo(f"{counted(count, 'message')} to be sent again")
    if not count:
        hint = "messages are kept for 7 days, of tenants that the workers have in MEDIAFLEET_WEBHOOKS when work ends"
        click.echo(f"mediafleet: {hint}", err=True)
