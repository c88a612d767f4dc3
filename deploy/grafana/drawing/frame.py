"""The space of a panel on the picture, and what it is drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from deploy.grafana.drawing.boards import Drawable
from deploy.grafana.drawing.canvas import Canvas
from deploy.grafana.drawing.prometheus import Series


class Answer(NamedTuple):
    """One query's series, each with its name in the legend."""

    legend: str
    series: Sequence[tuple[str, Series]]


class Frame(NamedTuple):
    """Inside a panel, below its title."""

    canvas: Canvas
    x: float
    y: float
    width: float
    height: float
    panel: Drawable
    answers: Sequence[Answer]
    start: float
    end: float
    step: float
    """Seconds between two points of a series."""

    @property
    def series(self) -> list[tuple[str, Series]]:
        """Of all queries."""
        return [named for answer in self.answers for named in answer.series]

    def across(self, time: float) -> float:
        """Where a time lies from 0 to 1."""
        return (time - self.start) / (self.end - self.start)
