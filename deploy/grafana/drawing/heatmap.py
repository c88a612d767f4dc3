"""How many of a histogram's values lay where, over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from deploy.grafana.drawing.canvas import COLOURS, mixed
from deploy.grafana.drawing.frame import Frame
from deploy.grafana.drawing.graph import Plot, time_axis
from deploy.grafana.drawing.prometheus import Series
from deploy.grafana.drawing.values import told

_LOW, _HIGH = "#3b2412", "#ffd8a8"
_COLUMNS: Final = 60


def draw(frame: Frame) -> None:
    """A column for each piece of time, a cell for each bucket; a bucket's label is its upper end."""
    buckets = sorted((float(series.labels["le"]), series) for _, series in frame.series)
    cells = _cells(frame, [series for _, series in buckets])
    names = [told(upper, frame.panel.field) if math.isfinite(upper) else "more" for upper, _ in buckets]
    left = frame.x + max((frame.canvas.width(name, 11) for name in names), default=0) + 8
    plot = Plot(left, frame.y + 6, frame.x + frame.width - left - 6, frame.height - 30)
    time_axis(frame, plot)
    most = max((value for row in cells for value in row), default=0) or 1
    wide, tall = plot.width / _COLUMNS, plot.height / max(1, len(cells))
    for number, (row, name) in enumerate(zip(cells, names, strict=True)):
        y = plot.top + plot.height - tall * (number + 1)
        if number % 2 == 0 or tall >= 14:
            frame.canvas.text((plot.left - 6, y + tall / 2), name, 11, COLOURS["weak"], "rm")
        for column, value in enumerate(row):
            if value > 0:
                shade = mixed(_LOW, _HIGH, math.sqrt(value / most))
                frame.canvas.box((plot.left + column * wide, y + 0.5), (wide - 0.5, tall - 0.5), shade)


def _cells(frame: Frame, cumulative: Sequence[Series]) -> list[list[float]]:
    """By bucket and column: what the bucket has more than the one below it."""
    rows: list[list[float]] = []
    below = [0.0] * _COLUMNS
    for series in cumulative:
        upto = [0.0] * _COLUMNS
        for at, value in series.points:
            column = min(_COLUMNS - 1, int(frame.across(at) * _COLUMNS))
            upto[column] = max(upto[column], value) if math.isfinite(value) else upto[column]
        rows.append([max(0.0, here - under) for here, under in zip(upto, below, strict=True)])
        below = upto
    return rows
