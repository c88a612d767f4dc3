"""`mediafleet fleet`, `mediafleet pause`, `mediafleet resume`: for whoever runs the fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mediafleet.cli.connection import BRIEF, Connection, connected

if TYPE_CHECKING:
    from mediafleet.v1.fleet_pb2 import Fleet, QueueStatus

_json = click.option("--json", "as_json", is_flag=True, help="One JSON object.")
_queue = click.argument("queue", metavar="QUEUE")


@click.command()
@_json
@connected(BRIEF)
def fleet(connection: Connection, as_json: bool) -> None:
    """Show queues and workers; needs the scope admin."""
    from mediafleet.cli.json_lines import json_line

    with connection.client() as client:
        found = client.fleet()
    if as_json:
        json_line(found)
        return
    _show_queues(*found.queues)
    click.echo()
    _show_workers(found)


@click.command(no_args_is_help=True, short_help="Hand out no more work of a queue.")
@_queue
@click.option("--reason", default="", help="Why, for people.")
@_json
@connected(BRIEF)
def pause(connection: Connection, queue: str, reason: str, as_json: bool) -> None:
    """Hand out no more work of a queue, such as image; needs the scope admin.

    Running work goes on, and uploads are still taken in.
    """
    with connection.client() as client:
        _print(client.pause_queue(queue, reason=reason), as_json)


@click.command(no_args_is_help=True, short_help="Hand out work of a paused queue again.")
@_queue
@_json
@connected(BRIEF)
def resume(connection: Connection, queue: str, as_json: bool) -> None:
    """Hand out work of a paused queue again; needs the scope admin."""
    with connection.client() as client:
        _print(client.resume_queue(queue), as_json)


def _print(queue: QueueStatus, as_json: bool) -> None:
    from mediafleet.cli.json_lines import json_line

    if as_json:
        json_line(queue)
    else:
        _show_queues(queue)


def _show_queues(*queues: QueueStatus) -> None:
    from mediafleet.cli.output import grid, show
    from mediafleet.cli.text import plain

    table = grid("queue", "waiting", "running", "delayed", "dead", "oldest", "paused")
    for each in queues:
        oldest = f"{each.oldest_age.ToTimedelta().total_seconds():.0f} s" if each.HasField("oldest_age") else ""
        figures = map(str, (each.waiting, each.running, each.delayed, each.dead))
        table.add_row(plain(each.queue), *figures, oldest, _pause(each))
    show(table)


def _pause(queue: QueueStatus) -> str:
    from mediafleet.cli.text import plain

    if not queue.paused:
        return ""
    return plain(f"since {queue.pause_time.ToDatetime():%Y-%m-%d %H:%M} UTC  {queue.pause_reason}".rstrip())


def _show_workers(found: Fleet) -> None:
    from mediafleet.cli.output import grid, show
    from mediafleet.cli.text import plain

    if not found.workers:
        click.echo("no workers", err=True)
        return
    table = grid("worker", "version", "busy", "queues", "uploads")
    for each in found.workers:
        uploads = ", ".join(f"{plain(one.upload_id)} {one.percent:.0f} %" for one in each.current_uploads)
        busy = f"{len(each.current_uploads)} of {each.slots}"
        table.add_row(plain(each.worker_id), plain(each.version), busy, plain(", ".join(each.queues)), uploads)
    show(table)
