"""Batches as tables."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from mediafleet.batches import batch_state_name
from mediafleet.cli.batch.bars import in_words
from mediafleet.cli.json_lines import json_line
from mediafleet.cli.output import COLOURS, records
from mediafleet.cli.text import plain, size
from mediafleet.v1.batches_pb2 import Batch

COLUMNS = ("batch", "name", "files", "size", "state", "done", "result")


def batches(found: Iterable[Batch], as_json: bool = False) -> None:
    """Prints batches, a line each; counts by state have lines of their own where a terminal is too narrow."""
    if as_json:
        for batch in found:
            json_line(batch)
    else:
        records(COLUMNS, [_row(batch) for batch in found])


def _row(batch: Batch) -> tuple[Text, ...]:
    state = batch_state_name(batch.state)
    return (
        Text(batch.batch_id),
        Text(plain(batch.display_name)),
        Text(str(batch.progress.counts.total)),
        Text(size(batch.progress.bytes_total)),
        Text(state, COLOURS.get(state, "")),
        Text(f"{batch.progress.percent:.0f} %"),
        Text(in_words(batch.progress.counts)),
    )
