"""CSV that a spreadsheet takes as it is meant: text stays text, whatever it begins with."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import IO, TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from mediafleet.progress import state_name
from mediafleet.v1.uploads_pb2 import MediaKind

if TYPE_CHECKING:
    from mediafleet.v1.uploads_pb2 import Upload

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula, which could fetch or run something."""

UPLOAD_COLUMNS = (
    "upload_id",
    "display_name",
    "state",
    "kind",
    "content_type",
    "size_bytes",
    "collection",
    "batch_id",
    "sha256",
    "attempt",
    "failure_code",
    "failure_message",
    "create_time",
    "start_time",
    "finish_time",
    "path",
)
"""In this order; columns to come stand behind them."""


def write(columns: Sequence[str], rows: Iterable[Sequence[str]], file: IO[str] | None = None) -> None:
    """Writes a head and a line for each row, as it comes; on stdout unless a file is given."""
    writer = csv.writer(file or sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(map(text_cell, row))


def text_cell(text: str) -> str:
    """The text, marked as text where it could be taken for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def upload_row(upload: Upload) -> Sequence[str]:
    """Cells of UPLOAD_COLUMNS."""
    return (
        upload.upload_id,
        upload.display_name,
        state_name(upload.state),
        MediaKind.Name(upload.kind).removeprefix("MEDIA_KIND_"),
        upload.content_type or upload.declared_content_type,
        str(upload.size_bytes) if upload.HasField("size_bytes") else "",
        upload.collection,
        upload.batch_id,
        upload.checksums.sha256.hex(),
        str(upload.attempt),
        upload.failure.code,
        upload.failure.message,
        *(
            time_cell(getattr(upload, name)) if upload.HasField(name) else ""
            for name in ("create_time", "start_time", "finish_time")
        ),
        upload.path,
    )


def time_cell(time: Timestamp) -> str:
    """As in 2026-11-21T09:06:33.120Z."""
    return time.ToDatetime(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
