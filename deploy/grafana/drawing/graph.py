"""Lines over time, or areas that add up."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final, NamedTuple

from deploy.grafana.drawing.canvas import COLOURS, SERIES
from deploy.grafana.drawing.frame import Frame
from deploy.grafana.drawing.prometheus import Series
from deploy.grafana.drawing.values import limits, ticks, told

_LEGEND: Final = 17
_LEGEND_LINES: Final = 2


class Plot(NamedTuple):
    """The space within the axes."""

    left: float
    top: float
    width: float
    height: float


def draw(frame: Frame) -> None:
    """Axes, limits, series and their legend."""
    stacked = frame.panel.field.get("custom", {}).get("stacking", {}).get("mode") == "normal"
    named = [each for each in frame.series if not math.isnan(each[1].last)] or frame.series
    lines = _stacked(named) if stacked else [dict(series.points) for _, series in named]
    highest = max((value for line in lines for value in line.values() if math.isfinite(value)), default=0.0)
    marked = limits(frame.panel.field)
    shown = [limit for limit in marked if limit[0] <= highest * 1.5] if highest else marked
    highest = max([highest, *(value for value, _ in shown)]) or frame.panel.field.get("max", 1)
    marks = ticks(highest, frame.panel.field.get("unit"))
    labels = [told(mark, frame.panel.field) for mark in marks]
    rows = _legend_rows(frame, named)
    left = frame.x + max(frame.canvas.width(label, 11) for label in labels) + 8
    plot = Plot(left, frame.y + 6, frame.x + frame.width - left - 6, frame.height - 28 - _LEGEND * len(rows))
    top = marks[-1]
    for mark, label in zip(marks, labels, strict=True):
        y = plot.top + plot.height * (1 - mark / top)
        frame.canvas.line([(plot.left, y), (plot.left + plot.width, y)], COLOURS["grid"], 0.5)
        frame.canvas.text((plot.left - 6, y), label, 11, COLOURS["weak"], "rm")
    time_axis(frame, plot)
    for number, line in enumerate(lines):
        floor = lines[number - 1] if stacked and number else dict.fromkeys(line, 0.0)
        _line(frame, plot, line, floor, top, SERIES[number % len(SERIES)])
    for value, colour in shown:
        frame.canvas.dashes((plot.left, plot.top + plot.height * (1 - value / top)), plot.width, colour)
    _legend(frame, rows, plot.top + plot.height + 22)


def time_axis(frame: Frame, plot: Plot) -> None:
    """Times below the plot."""
    for number in range(4):
        time = frame.start + (frame.end - frame.start) * number / 3
        text = datetime.fromtimestamp(time, UTC).strftime("%H:%M:%S")
        anchor = ("la", "ma", "ma", "ra")[number]
        frame.canvas.text(
            (plot.left + plot.width * number / 3, plot.top + plot.height + 5), text, 11, COLOURS["weak"], anchor
        )


def _stacked(named: list[tuple[str, Series]]) -> list[dict[float, float]]:
    """Each line with those before it below."""
    times = sorted({at for _, series in named for at, _ in series.points})
    below = dict.fromkeys(times, 0.0)
    lines = []
    for _, series in named:
        own = {at: value for at, value in series.points if math.isfinite(value)}
        below = {at: below[at] + own.get(at, 0.0) for at in times}
        lines.append(below)
    return lines


def _line(
    frame: Frame, plot: Plot, line: dict[float, float], below: dict[float, float], top: float, colour: str
) -> None:
    opacity = 255 * frame.panel.field["custom"]["fillOpacity"] // 100

    def place(at: float, value: float) -> tuple[float, float]:
        height = min(max(value / top, 0.0), 1.05)
        return plot.left + plot.width * frame.across(at), plot.top + plot.height * (1 - height)

    for run in _runs(line, 2.5 * frame.step):
        points = [place(at, value) for at, value in run]
        floor = [place(at, below[at]) for at, _ in reversed(run)]
        frame.canvas.area([*points, *floor], colour, opacity)
        if len(points) > 1:
            frame.canvas.line(points, colour)
        elif points:
            x, y = points[0]
            frame.canvas.line([(x - 1, y), (x + 1, y)], colour, 2)


def _runs(line: dict[float, float], gap: float) -> list[list[tuple[float, float]]]:
    """Apart where there is no number for so long."""
    runs: list[list[tuple[float, float]]] = []
    last = -math.inf
    for at, value in line.items():
        if math.isfinite(value):
            if at - last > gap:
                runs.append([])
            runs[-1].append((at, value))
            last = at
    return runs


def _legend_rows(frame: Frame, named: list[tuple[str, Series]]) -> list[list[tuple[str, str, float]]]:
    """Names with their last values, colours and widths, as many as fit."""
    rows: list[list[tuple[str, str, float]]] = [[]]
    used = 0.0
    for number, (name, series) in enumerate(named):
        text = frame.canvas.fitted(f"{name}  {told(series.last, frame.panel.field)}", frame.width - 30, 11)
        width = frame.canvas.width(text, 11) + 28
        if used + width > frame.width and rows[-1]:
            if len(rows) == _LEGEND_LINES:
                break
            rows.append([])
            used = 0.0
        rows[-1].append((text, SERIES[number % len(SERIES)], width))
        used += width
    return rows


def _legend(frame: Frame, rows: list[list[tuple[str, str, float]]], y: float) -> None:
    for row in rows:
        x = frame.x
        for text, colour, width in row:
            frame.canvas.line([(x, y + 6), (x + 11, y + 6)], colour, 3)
            frame.canvas.text((x + 16, y + 6), text, 11, anchor="lm")
            x += width
        y += _LEGEND
