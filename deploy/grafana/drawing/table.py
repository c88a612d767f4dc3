"""One row for each set of labels, one column for each query."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from deploy.grafana.drawing.canvas import COLOURS
from deploy.grafana.drawing.frame import Frame
from deploy.grafana.drawing.values import colour, told

_LINE: Final = 22


def draw(frame: Frame) -> None:
    """As Grafana's merge of instant queries: labels first."""
    columns = [answer.legend for answer in frame.answers]
    rows: dict[tuple[tuple[str, str], ...], dict[str, float]] = {}
    for answer in frame.answers:
        for _, series in answer.series:
            rows.setdefault(tuple(sorted(series.labels.items())), {})[answer.legend] = series.last
    labels = sorted({name for row in rows for name, _ in row})
    names = [*labels, *columns]
    wide = frame.width / max(1, len(names) + 0.6 * len(labels))
    widths = [wide * 1.6 if name in labels else wide for name in names]
    _cells(frame, 0, [(frame.panel.names.get(name, name), COLOURS["blue"]) for name in names], widths)
    fitting = int(frame.height // _LINE) - 1
    by = frame.panel.largest_first
    ordered = sorted(rows.items(), key=lambda row: (-row[1].get(by, 0.0), row[0]))
    for number, (row, values) in enumerate(ordered[:fitting], 1):
        y = frame.y + _LINE * number
        frame.canvas.line([(frame.x, y), (frame.x + frame.width, y)], COLOURS["grid"], 0.5)
        cells = [(dict(row).get(name, ""), COLOURS["text"]) for name in labels]
        cells += [_value(values.get(column, math.nan), frame.panel.overrides[column]) for column in columns]
        _cells(frame, number, cells, widths)


def _value(value: float, override: Mapping[str, Any]) -> tuple[str, str]:
    if math.isnan(value):
        return "", COLOURS["text"]
    return told(value, override), colour(value, override)


def _cells(frame: Frame, number: int, cells: list[tuple[str, str]], widths: list[float]) -> None:
    x, y = frame.x + 4, frame.y + _LINE * (number + 0.5)
    for (text, shade), width in zip(cells, widths, strict=True):
        frame.canvas.text((x, y), frame.canvas.fitted(text, width - 8, 12), 12, shade, "lm")
        x += width
