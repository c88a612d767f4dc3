"""`mediafleet notifications`: what people of the tenant should hear of."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING

import click

from mediafleet.cli.connection import BRIEF, Connection, connected
from mediafleet.cli.filters import limited

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.text import Text

    from mediafleet.v1.notifications_pb2 import Notification

COLUMNS = ("number", "time", "read", "about", "name", "state", "result")


@click.group(short_help="List what failed or ended, and mark it as read.")
def notifications() -> None:
    """What ended: uploads outside of batches that failed or expired, and batches."""


@notifications.command(name="list")
@click.option("--unread", is_flag=True, help="Only those that are not read.")
@limited
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@connected(BRIEF)
def list_notifications(connection: Connection, unread: bool, limit: int, as_json: bool) -> None:
    """List notifications, newest first; the last 1,000 are kept."""
    with connection.client() as client:
        found = list(islice(client.notifications.list(only_unread=unread), limit))
    if as_json:
        from mediafleet.cli.json_lines import json_line

        for notification in found:
            json_line(notification)
    elif found:
        _show(found)
    else:
        click.echo("no notifications", err=True)


@notifications.command(no_args_is_help=True)
@click.argument("numbers", nargs=-1, type=click.IntRange(min=1), metavar="[NUMBER]...")
@click.option("--through", default=0, type=click.IntRange(min=0), metavar="NUMBER", help="All up to this one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@connected(BRIEF)
def read(connection: Connection, numbers: tuple[int, ...], through: int, as_json: bool) -> None:
    """Mark notifications as read, for everybody of the tenant."""
    with connection.client() as client:
        unread = client.notifications.mark_read(*numbers, through=through)
    click.echo(json.dumps({"unread_count": unread}) if as_json else f"{unread} unread")


def _show(found: Iterable[Notification]) -> None:
    from mediafleet.cli.output import records

    records(COLUMNS, [_row(notification) for notification in found])


def _row(notification: Notification) -> tuple[Text, ...]:
    from rich.text import Text

    from mediafleet.batches import batch_state_name
    from mediafleet.cli.batch.bars import in_words
    from mediafleet.cli.output import COLOURS
    from mediafleet.cli.text import plain
    from mediafleet.progress import state_name

    if notification.HasField("batch"):
        about, state = notification.batch.batch_id, batch_state_name(notification.batch.state)
        result = in_words(notification.batch.counts)
    else:
        about, state = notification.upload.upload_id, state_name(notification.upload.state)
        result = plain(notification.upload.failure_code)
    return (
        Text(str(notification.number)),
        Text(notification.event_time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S")),
        Text("yes" if notification.read else "no"),
        Text(about),
        Text(plain(notification.display_name)),
        Text(state, COLOURS.get(state, "")),
        Text(result),
    )
