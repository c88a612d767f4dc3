"""A whole board as a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from deploy.grafana.drawing import graph, heatmap, stat, table
from deploy.grafana.drawing.boards import Drawable, DrawableBoard
from deploy.grafana.drawing.canvas import COLOURS, Canvas
from deploy.grafana.drawing.frame import Answer, Frame
from deploy.grafana.drawing.prometheus import Prometheus
from deploy.grafana.model import COLUMNS, Shape

_WIDTH, _COLUMN, _ROW, _GAP, _HEAD = 1464, 60, 32, 8, 48
_TITLE: Final = 28
_SHAPES: Final[Mapping[str, Callable[[Frame], None]]] = {
    Shape.GRAPH: graph.draw,
    Shape.STAT: stat.draw,
    Shape.TABLE: table.draw,
    Shape.HEATMAP: heatmap.draw,
}
assert _COLUMN * COLUMNS < _WIDTH


class Range(NamedTuple):
    """What a picture shows: seconds since 1970, and how queries look at it."""

    start: float
    end: float
    step: float
    rate_interval: str


def draw(board: DrawableBoard, prometheus: Prometheus, shown: Range, path: Path) -> None:
    """Ask every query of a board and save the picture. Raises QueryError if one is refused."""
    rows = max(panel.place[1] + panel.place[3] for panel in board.panels)
    canvas = Canvas(_WIDTH, _HEAD + rows * _ROW + _GAP)
    canvas.text((16, _HEAD / 2), board.title, 18, anchor="lm")
    for panel in board.panels:
        left, top, width, height = panel.place
        x, y = 12 + left * _COLUMN, _HEAD + top * _ROW
        if panel.kind == "row":
            canvas.text((x, y + _ROW / 2), panel.title, 15, anchor="lm")
            continue
        size = width * _COLUMN - _GAP, height * _ROW - _GAP
        canvas.box((x, y), size, COLOURS["panel"], border=COLOURS["border"], radius=3)
        canvas.text((x + 10, y + _TITLE / 2 + 1), canvas.fitted(panel.title, size[0] - 20, 13), 13, anchor="lm")
        answers = asked(board, panel, prometheus, shown)
        inner = size[0] - 20, size[1] - _TITLE - 8
        frame = Frame(canvas, x + 10, y + _TITLE, *inner, panel, answers, shown.start, shown.end, shown.step)
        if any(answer.series for answer in answers):
            _SHAPES[panel.kind](frame)
        else:
            canvas.text((x + size[0] / 2, y + size[1] / 2), "No data", 14, COLOURS["weak"], "mm")
    canvas.save(path)


def asked(board: DrawableBoard, panel: Drawable, prometheus: Prometheus, shown: Range) -> list[Answer]:
    """What Prometheus says to a panel's queries, in their order. Raises QueryError."""
    answers = []
    for target in panel.targets:
        expr = board.expression(target.expr, shown.rate_interval)
        if target.instant:
            found = prometheus.at(expr, shown.end)
        else:
            found = prometheus.over(expr, shown.start, shown.end, shown.step)
        answers.append(Answer(target.legend, [(target.named(series.labels), series) for series in found]))
    return answers
