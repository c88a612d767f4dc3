"""What commands print on stdout: tables for people, one JSON object per line for programs."""

from __future__ import annotations

from collections.abc import Iterable

import click
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mediafleet.cli.failures import why
from mediafleet.cli.text import plain, size
from mediafleet.progress import state_name
from mediafleet.v1.uploads_pb2 import Upload

COLOURS = {"SUCCEEDED": "green", "FAILED": "red", "CANCELLED": "yellow", "EXPIRED": "red"}
"""Of states; every other one has the terminal's own."""


def json_line(message: Message) -> None:
    """Prints the message in proto JSON, with the names of the .proto files."""
    click.echo(MessageToJson(message, preserving_proto_field_name=True, indent=None, ensure_ascii=False))


def console() -> Console:
    """Stdout; wide enough not to break lines that another program reads."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=240)


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
        console().print(table)


def grid(*columns: str) -> Table:
    """A table without frames; the first column is never cut, as it is what people copy."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for index, column in enumerate(columns):
        table.add_column(column, no_wrap=index == 0, justify="right" if column in ("size", "done") else "left")
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
    return plain(" ".join(filter(None, (upload.progress.stage, upload.progress.step)))) if upload.progress.stage else ""
