"""What each stage and step of the work takes, by kind and size: the table that `benchmarks.measure_stages` wrote."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from importlib.resources import files

import msgspec

from mediafleet_core.media_types import MediaKind

STAGES = ("fetch", "process", "store", "commit")
"""Stages of processing, in order."""

_PLAIN = "plain"
_TYPICAL = {MediaKind.IMAGE: "image/jpeg"}
"""The content type that stands for a kind while nothing more is known."""


class Row(msgspec.Struct, frozen=True):
    """One class of sizes, by a member of it: its size in bytes or pixels, and seconds by stage or step."""

    size: int
    seconds: dict[str, float]


class Table(msgspec.Struct, frozen=True):
    """The measurement.

    `stages` goes by content type, or `plain` for files of which nothing is made, and by bytes; `steps` are those of the
    process stage, by content type and pixels. Rows stand in the order of their sizes.
    """

    measured: dict[str, str]
    received_percent: float
    stages: dict[str, tuple[Row, ...]]
    steps: dict[str, tuple[Row, ...]]


_TABLE = msgspec.json.decode((files(__package__) / "stages.json").read_bytes(), type=Table)

RECEIVED_PERCENT = _TABLE.received_percent
"""Percent shown when every byte is received and durable; processing moves it from here to below 100."""


def stage_seconds(kind: MediaKind, content_type: str, size: int) -> dict[str, float]:
    """Seconds that each of `STAGES` is expected to take for a file of `size` bytes; `content_type` may be ""."""
    name = content_type if content_type in _TABLE.stages else _TYPICAL.get(kind, _PLAIN)
    return _between(_TABLE.stages[name], size)


def step_seconds(content_type: str, pixels: int) -> dict[str, float]:
    """Seconds that each step of the pipeline is expected to take for a picture; empty for other content types."""
    return _between(_TABLE.steps.get(content_type, ()), pixels)


def _between(rows: Sequence[Row], size: int) -> dict[str, float]:
    """Straight lines from row to row; as the smallest below it, in proportion beyond the largest."""
    if not rows:
        return {}
    place = bisect_left(rows, size, key=lambda row: row.size)
    if place == 0:
        return dict(rows[0].seconds)
    if place == len(rows):
        return {name: seconds * size / rows[-1].size for name, seconds in rows[-1].seconds.items()}
    lower, upper = rows[place - 1], rows[place]
    part = (size - lower.size) / (upper.size - lower.size)
    return {name: _mean(lower.seconds, upper.seconds, name, part) for name in upper.seconds}


def _mean(lower: Mapping[str, float], upper: Mapping[str, float], name: str, part: float) -> float:
    return lower[name] * (1 - part) + upper[name] * part
