"""What a dashboard is made of: panels in rows on a grid of 24 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

COLUMNS: Final = 24


class Shape(StrEnum):
    """How a panel draws; the values are Grafana's names of its panel types."""

    GRAPH = "timeseries"
    STAT = "stat"
    TABLE = "table"
    HEATMAP = "heatmap"


class Unit(StrEnum):
    """What values are measured in; the values are Grafana's ids."""

    COUNT = "none"
    SECONDS = "s"
    SHARE = "percentunit"
    BYTES = "bytes"
    BYTES_PER_SECOND = "Bps"
    CALLS_PER_SECOND = "reqps"
    PER_SECOND = "ops"
    DOLLARS = "currencyUSD"


class Colour(StrEnum):
    """Of thresholds: how bad it is."""

    GOOD = "green"
    WARNING = "orange"
    BAD = "red"
    PLAIN = "blue"


class Step(NamedTuple):
    """From `value` on a value has this colour; None is the lowest."""

    value: float | None
    colour: Colour


Steps = tuple[Step, ...]

PLAIN: Final[Steps] = (Step(None, Colour.PLAIN),)
"""Of figures that are neither good nor bad by themselves."""


def rising(warning: float, bad: float) -> Steps:
    """The more, the worse."""
    return Step(None, Colour.GOOD), Step(warning, Colour.WARNING), Step(bad, Colour.BAD)


def falling(good: float, warning: float) -> Steps:
    """The less, the worse: good from `good` on, bad below `warning`."""
    return Step(None, Colour.BAD), Step(warning, Colour.WARNING), Step(good, Colour.GOOD)


def none_is_good(colour: Colour = Colour.BAD) -> Steps:
    """Anything above zero has the colour."""
    return Step(None, Colour.GOOD), Step(0.000_001, colour)


def all_is_good(colour: Colour = Colour.BAD) -> Steps:
    """1 is good, and anything below has the colour."""
    return Step(None, colour), Step(1, Colour.GOOD)


class Query(NamedTuple):
    """PromQL, and what its series are called: text with labels as `{{label}}`. In a table it is the column's title."""

    expr: str
    legend: str = ""


class Column(NamedTuple):
    """How a table shows one of its queries, where that differs from the panel."""

    unit: Unit
    steps: Steps = PLAIN


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel; `means` and `do` become its description."""

    title: str
    means: str
    """What it shows, and what that says about the system."""
    do: str
    """What whoever reads it at night should do about it."""
    unit: Unit
    queries: Sequence[Query]
    shape: Shape = Shape.GRAPH
    steps: Steps = PLAIN
    width: int = 8
    height: int = 8
    stacked: bool = False
    instant: bool = False
    """Asked for the end of the time range only: dear queries."""
    most: float | None = None
    """Where the scale ends, if the figure has an end."""
    words: Mapping[int, str] = field(default_factory=dict)
    """Said instead of a value."""
    columns: Mapping[str, Column] = field(default_factory=dict)
    """Of a table, by the legend of a query."""
    largest_first: bool = False
    """Of a table: by its first query, and not by name."""
    decimals: int | None = None
    runbooks: Sequence[str] = ()
    """Alerts about this figure."""
    opens: str = ""
    """The uid of the board to open next."""


@dataclass(frozen=True)
class Row:
    """Panels under a heading; they flow from left to right."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Board:
    """One dashboard."""

    uid: str
    title: str
    description: str
    rows: Sequence[Row]

    @property
    def name(self) -> str:
        """Of its file, without the suffix."""
        return self.uid.removeprefix("mediafleet-")


class Place(NamedTuple):
    """On the grid; Grafana's units."""

    x: int
    y: int
    width: int
    height: int


def places(board: Board) -> list[tuple[Row | Panel, Place]]:
    """Where headings and panels stand, in reading order. Raises ValueError if a line of a row is not full."""
    placed: list[tuple[Row | Panel, Place]] = []
    y = 0
    for row in board.rows:
        placed.append((row, Place(0, y, COLUMNS, 1)))
        y += 1
        x, tallest = 0, 0
        for panel in row.panels:
            placed.append((panel, Place(x, y, panel.width, panel.height)))
            x += panel.width
            tallest = max(tallest, panel.height)
            if x >= COLUMNS:
                x, y, tallest = x - COLUMNS, y + tallest, 0
        if x:
            raise ValueError(f"{board.uid}: the row {row.title!r} leaves {COLUMNS - x} columns empty")
    return placed
