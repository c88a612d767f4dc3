"""What commands print on stdout: tables for people, or lines for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click
from rich.console import Console, JustifyMethod
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mediafleet.cli.failures import why
from mediafleet.cli.json_lines import json_line
from mediafleet.cli.text import plain, size
from mediafleet.progress import TERMINAL_STATES, state_name
from mediafleet.v1.uploads_pb2 import Upload

COLOURS = {"SUCCEEDED": "green", "FAILED": "red", "PARTIALLY_FAILED": "red", "CANCELLED": "yellow", "EXPIRED": "red"}
"""Of states; every other one has the terminal's own."""

COLUMNS = ("upload", "name", "size", "state", "done", "result")
LEAST_NAME = 12
"""Columns of the terminal that a name is worth a place in the line for."""

FIGURES = frozenset(
    {"number", "size", "files", "objects", "count", "done", "waiting", "running", "delayed", "dead", "oldest"}
    | {"class A", "class B", "used", "limit", "left", "share"}
)
"""Heads of columns that stand to the right."""

ELASTIC = frozenset({"name", "result", "paused"})
"""Heads of columns that may take several lines."""

GAP = 2
"""Between two columns."""

WIDE = 2000
"""Columns that hold any line."""


def show(table: Table) -> None:
    """Prints a table on stdout; unbroken and without padding where another program reads it."""
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(table)
        return
    wide = Console(highlight=False, width=WIDE)
    with wide.capture() as printed:
        wide.print(table)
    for line in printed.get().splitlines():
        click.echo(line.rstrip())


def uploads(found: Iterable[Upload], as_json: bool) -> None:
    """Prints uploads, a line each, as `records` does."""
    if as_json:
        for upload in found:
            json_line(upload)
    else:
        records(COLUMNS, [row(upload) for upload in found])


def records(columns: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
    """Prints a line each; where a terminal is too narrow for that, results have lines of their own below."""
    table = grid(*columns)
    for cells in rows:
        table.add_row(*cells)
    console = Console(highlight=False)
    anywhere = console.options.update(width=WIDE)
    if rows and console.is_terminal and console.measure(table, options=anywhere).maximum > console.width:
        _show_narrow(console, columns, rows)
    elif rows:
        show(table)


def _show_narrow(console: Console, columns: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
    """Results below their uploads, and names too where even those find no room."""
    widths = [max(len(head), *(cells[place].cell_len for cells in rows)) for place, head in enumerate(columns)]
    beside = [place for place, head in enumerate(columns) if head not in ("name", "result")]
    room = console.width - sum(widths[place] + GAP for place in beside)
    if room >= LEAST_NAME:
        name = columns.index("name")
        beside.insert(name, name)
        widths[name] = min(widths[name], room)
    for number, cells in enumerate(rows):
        line = grid(*(columns[place] for place in beside))
        line.show_header = number == 0
        for column, place in zip(line.columns, beside, strict=True):
            column.width = widths[place]
        line.add_row(*(cells[place] for place in beside))
        console.print(line)
        for place, cell in enumerate(cells):
            if cell and place not in beside:
                console.print(Padding(cell, (0, 0, 0, 4)))


def grid(*columns: str) -> Table:
    """A table without frames; what is elastic gives way where a terminal is narrow, what people copy is never cut."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, GAP, 0, 0))
    for column in columns:
        justify: JustifyMethod = "right" if column in FIGURES else "left"
        table.add_column(column, no_wrap=column not in ELASTIC, overflow="fold", justify=justify)
    return table


def row(upload: Upload) -> tuple[Text, ...]:
    """Cells of an upload: id, name (the path, where it is known), size, state, percent, result."""
    state = state_name(upload.state)
    return (
        Text(upload.upload_id),
        Text(plain(upload.path or upload.display_name)),
        Text(size(upload.size_bytes)),
        Text(state, COLOURS.get(state, "")),
        Text(f"{upload.progress.percent:.0f} %"),
        Text(result(upload)),
    )


def setback(upload: Upload) -> str:
    """Why an upload waits for its next attempt, which it counts already."""
    if not upload.HasField("failure"):
        return "its worker was lost"
    return f"attempt {upload.attempt - 1} of {upload.max_attempts} failed"


def result(upload: Upload) -> str:
    """What became of an upload, or what it is doing."""
    if upload.HasField("next_attempt_time"):
        due = upload.next_attempt_time.ToDatetime().strftime("%H:%M:%S")
        return f"{setback(upload)}, next at {due} UTC; {why(upload)}".removesuffix("; ")
    if upload.HasField("failure"):
        return why(upload)
    if upload.renditions:
        return ", ".join(f"{plain(each.name)} {each.width}x{each.height}" for each in upload.renditions)
    if upload.state in TERMINAL_STATES:
        return ""
    return plain(" ".join(filter(None, (upload.progress.stage, upload.progress.step))))
