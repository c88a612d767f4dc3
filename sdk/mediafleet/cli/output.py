"""What commands print on stdout: tables for people, one JSON object per line for programs."""

from __future__ import annotations

from collections.abc import Iterable

import click
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from mediafleet.cli.failures import why
from mediafleet.cli.text import plain, size
from mediafleet.progress import TERMINAL, state_name
from mediafleet.v1.uploads_pb2 import Upload

COLOURS = {"SUCCEEDED": "green", "FAILED": "red", "CANCELLED": "yellow", "EXPIRED": "red"}
"""Of states; every other one has the terminal's own."""


def json_line(message: Message) -> None:
    """Prints the message in proto JSON, with the names of the .proto files."""
    click.echo(MessageToJson(message, preserving_proto_field_name=True, indent=None, ensure_ascii=False))


def show(table: Table) -> None:
    """Prints a table on stdout; unbroken and without padding where another program reads it."""
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(table)
        return
    wide = Console(highlight=False, width=400)
    with wide.capture() as printed:
        wide.print(table)
    for line in printed.get().splitlines():
        click.echo(line.rstrip())


def uploads(found: Iterable[Upload], as_json: bool) -> None:
    """Prints uploads, a line each."""
    if as_json:
        for upload in found:
            json_line(upload)
        return
    table = grid("upload", "name", "size", "state", "done", "result")
    for upload in found:
        table.add_row(*row(upload))
    if table.row_count:
        show(table)


def grid(*columns: str) -> Table:
    """A table without frames; names and results give way where a terminal is narrow, what people copy is never cut."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        elastic = column in ("name", "result")
        justify: JustifyMethod = "right" if column in ("size", "objects", "done") else "left"
        table.add_column(column, no_wrap=not elastic, overflow="fold", justify=justify)
    return table


def row(upload: Upload) -> tuple[Text, ...]:
    """Cells of an upload: id, name, size, state, percent, result."""
    state = state_name(upload.state)
    return (
        Text(upload.upload_id),
        Text(plain(upload.display_name)),
        Text(size(upload.size_bytes)),
        Text(state, COLOURS.get(state, "")),
        Text(f"{upload.progress.percent:.0f} %"),
        Text(result(upload)),
    )


def result(upload: Upload) -> str:
    """What became of an upload, or what it is doing."""
    if upload.HasField("next_attempt_time"):
        due = upload.next_attempt_time.ToDatetime().strftime("%H:%M:%S")
        return f"attempt {upload.attempt} of {upload.max_attempts} failed, next at {due} UTC; {why(upload)}"
    if upload.HasField("failure"):
        return why(upload)
    if upload.renditions:
        return ", ".join(f"{plain(each.name)} {each.width}x{each.height}" for each in upload.renditions)
    if upload.state in TERMINAL:
        return ""
    return plain(" ".join(filter(None, (upload.progress.stage, upload.progress.step))))
