"""`mediafleet explain`: all about one upload."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from mediafleet.cli.connection import BRIEF, Connection, connected

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from mediafleet.v1.fleet_pb2 import UploadExplanation


@click.command(no_args_is_help=True)
@click.argument("upload_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@connected(BRIEF)
def explain(connection: Connection, upload_id: str, as_json: bool) -> None:
    """Tell why an upload is where it is, and what to do next.

    Record, history, attempts, place in the queue or lease, batch, objects in the storage. With the scope admin it knows
    the uploads of every tenant, and shows the evidence of failed attempts.
    """
    from mediafleet.cli.json_lines import json_line

    with connection.client() as client:
        explanation = client.explain(upload_id)
    if as_json:
        json_line(explanation)
    else:
        _show(explanation)


def _show(explanation: UploadExplanation) -> None:
    from mediafleet.cli.output import uploads

    uploads([explanation.upload], as_json=False)
    _say("", explanation.findings)
    _say("what to do", explanation.next_steps or ["Nothing."])
    _show_record(explanation)
    _show_history(explanation)
    _show_attempts(explanation)
    _show_objects(explanation)


def _say(head: str, sentences: Iterable[str]) -> None:
    from mediafleet.cli.text import plain

    _head(head)
    for sentence in sentences:
        click.echo(f"  {plain(sentence)}")


def _head(name: str) -> None:
    click.echo(f"\n{click.style(name, bold=True)}" if name else "")


def _show_record(explanation: UploadExplanation) -> None:
    from rich.text import Text

    from mediafleet.cli.output import grid, show
    from mediafleet.cli.text import plain, size

    upload = explanation.upload
    rows = {
        "tenant": upload.tenant,
        "collection": upload.collection,
        "type": upload.content_type or upload.declared_content_type,
        "received": f"{size(upload.committed_size)} of {size(upload.size_bytes) if upload.size_bytes else '(unknown)'}",
        "sha-256": upload.checksums.sha256.hex(),
        "created": _time(upload.create_time),
        "finished": _time(upload.finish_time) if upload.HasField("finish_time") else "",
        "series": str(upload.progress.series),
        "batch": upload.batch_id,
        "reserved": size(explanation.reserved_bytes) if explanation.reserved_bytes else "",
        "multiparts": f"{explanation.unfinished_multiparts} unfinished" if explanation.unfinished_multiparts else "",
    }
    _head("record")
    table = grid("", "")
    table.show_header = False
    for name, value in rows.items():
        if value:
            table.add_row(Text(f"  {name}"), Text(plain(value)))
    show(table)


def _show_history(explanation: UploadExplanation) -> None:
    from mediafleet.cli.output import grid, show
    from mediafleet.cli.text import plain
    from mediafleet.progress import state_name

    _head("history")
    table = grid("  time", "state", "stage", "attempt", "series", "failure")
    for past in explanation.history:
        table.add_row(
            f"  {_time(past.time)}",
            state_name(past.state),
            plain(past.stage),
            str(past.attempt or ""),
            str(past.series),
            plain(past.failure_code),
        )
    show(table)


def _show_attempts(explanation: UploadExplanation) -> None:
    from rich.text import Text

    from mediafleet.cli.output import grid, show
    from mediafleet.cli.text import plain

    if not explanation.attempts:
        return
    _head("failed attempts")
    table = grid("  time", "failure", "stage", "worker", "evidence")
    for tried in explanation.attempts:
        table.add_row(
            *(
                Text(plain(cell))
                for cell in (f"  {_time(tried.time)}", tried.code, tried.stage, tried.worker, tried.evidence)
            )
        )
    show(table)


def _show_objects(explanation: UploadExplanation) -> None:
    from rich.text import Text

    from mediafleet.cli.output import grid, show
    from mediafleet.cli.text import plain, size
    from mediafleet.v1.fleet_pb2 import ObjectRole

    _head("objects")
    if not explanation.objects:
        click.echo(f"  {plain(explanation.storage_message) or 'none'}")
        return
    table = grid("  key", "size", "what", "state")
    for each in explanation.objects:
        role = ObjectRole.Name(each.role).removeprefix("OBJECT_ROLE_").lower().replace("_", " ")
        wrong = each.HasField("expected_bytes") and each.expected_bytes != each.size_bytes
        state = "MISSING" if not each.present else f"NOT {size(each.expected_bytes)}" if wrong else ""
        table.add_row(Text(f"  {plain(each.key)}"), size(each.size_bytes), role, state)
    show(table)


def _time(time: Timestamp) -> str:
    return f"{time.ToDatetime():%Y-%m-%d %H:%M:%S.%f}"[:-3]
