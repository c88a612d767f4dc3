"""The end of a receipt: a line for each file with its times and whether its bytes are equal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from rich.table import Table
from rich.text import Text

from mediafleet import Upload
from mediafleet.cli.text import plain
from mediafleet_devserver.receipt import Outcome, Receipt

STAGES = ("fetch", "process", "store")
"""Stages of a worker, as the record names them."""


def summary(receipts: Sequence[Receipt]) -> Table:
    """Times in seconds; those of one line add up to its last one.

    `receive` lasts until a worker takes the file up, the wait for one included; `rest` is the commit and, where more
    attempts than one were made, the waits between them.
    """
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("seconds", overflow="fold")
    table.add_column("state", no_wrap=True)
    for name in ("receive", *STAGES, "rest", "in all"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("bytes", no_wrap=True)
    for receipt in receipts:
        verdict = ("equal" if receipt.good else "DIFFER") if receipt.downloads else ""
        table.add_row(plain(receipt.file.name), Text.from_ansi(receipt.state), *_times(receipt.outcome), verdict)
    return table


def _times(outcome: Outcome) -> Sequence[str]:
    if not isinstance(outcome, Upload) or not outcome.HasField("finish_time"):
        return [""] * 6
    begun, ended = outcome.create_time.ToDatetime(), outcome.finish_time.ToDatetime()
    taken_up = outcome.start_time.ToDatetime() if outcome.HasField("start_time") else ended
    spent = {timing.stage: timing.duration.ToTimedelta() for timing in outcome.stage_timings}
    stages = [spent.get(name, timedelta()) for name in STAGES]
    receive, whole = taken_up - begun, ended - begun
    rest = whole - receive - sum(stages, timedelta())
    return [f"{span.total_seconds():.3f}" for span in (receive, *stages, rest, whole)]
