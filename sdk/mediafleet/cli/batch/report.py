"""`mediafleet batch report`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING
from uuid import uuid4

import click

from mediafleet.cli import interrupts
from mediafleet.cli.connection import ENDURING, Connection, connected

if TYPE_CHECKING:
    from mediafleet.v1.batches_pb2 import BatchReportRow

COLUMNS = (
    "upload_id",
    "display_name",
    "collection",
    "kind",
    "content_type",
    "state",
    "deleted",
    "size_bytes",
    "sha256",
    "attempt",
    "failure_code",
    "failure_message",
    "next_step",
    "renditions",
    "labels",
    "create_time",
    "start_time",
    "finish_time",
    "path",
)
"""Of the CSV; new ones come at the end."""


@click.command(no_args_is_help=True, short_help="Print what became of each file of a batch.")
@click.argument("batch_id", metavar="ID")
@click.option("--csv", "as_csv", is_flag=True, help="A table for spreadsheets.")
@click.option("--jsonl", "as_jsonl", is_flag=True, help="One JSON object per line; the default.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write, whole or not at all."
)
@connected(ENDURING)
def report(connection: Connection, batch_id: str, as_csv: bool, as_jsonl: bool, output: Path | None) -> None:
    """Print what became of each file of a batch, a row each, in order of creation.

    In the CSV, text that a spreadsheet would take for a formula has an apostrophe in front.
    """
    if as_csv and as_jsonl:
        raise click.UsageError("--csv and --jsonl exclude each other")
    with connection.client() as client, interrupts.told(), _written(output) as file:
        rows = client.batches.report(batch_id)
        if as_csv:
            from mediafleet.cli import spreadsheet

            spreadsheet.write(COLUMNS, map(cells, rows), file)
        else:
            _jsonl(rows, file)


@contextmanager
def _written(output: Path | None) -> Iterator[IO[str]]:
    if output is None:
        yield sys.stdout
        sys.stdout.flush()  # while a reader that has enough can still be told from a fault
        return
    if output.exists() and not output.is_file():  # a pipe or a device, which nothing may take the place of
        with output.open("w", encoding="utf-8", newline="") as file:
            yield file
        return
    output = output.resolve()
    part = output.with_name(f".{uuid4().hex}.part")  # of this process alone
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(output)
    except OSError as error:
        if error.filename == str(part):  # who asked for a file hears of that one
            raise OSError(error.errno, error.strerror, str(output)) from error
        raise
    finally:
        part.unlink(missing_ok=True)


def _jsonl(rows: Iterator[BatchReportRow], file: IO[str]) -> None:
    from mediafleet.cli.json_lines import json_text

    for row in rows:
        file.write(f"{json_text(row)}\n")


def cells(row: BatchReportRow) -> tuple[str, ...]:
    """Values in the order of COLUMNS."""
    from mediafleet.cli.spreadsheet import time_cell
    from mediafleet.progress import state_name
    from mediafleet.v1.uploads_pb2 import MediaKind

    return (
        row.upload_id,
        row.display_name,
        row.collection,
        MediaKind.Name(row.kind).removeprefix("MEDIA_KIND_"),
        row.content_type,
        state_name(row.state),
        "true" if row.deleted else "false",
        str(row.size_bytes),
        row.checksums.sha256.hex(),
        str(row.attempt),
        row.failure.code,
        row.failure.message,
        row.failure.next_step,
        " ".join(rendition.name for rendition in row.renditions),
        json.dumps(dict(sorted(row.labels.items())), ensure_ascii=False) if row.labels else "",
        *(
            time_cell(getattr(row, name)) if row.HasField(name) else ""
            for name in ("create_time", "start_time", "finish_time")
        ),
        row.path,
    )
