"""One figure, on the colour of its threshold."""

from __future__ import annotations

import math

from deploy.grafana.drawing.canvas import mixed
from deploy.grafana.drawing.frame import Frame
from deploy.grafana.drawing.values import colour, told


def draw(frame: Frame) -> None:
    """The last value of the first series; how it came there behind it."""
    series = frame.series[0][1] if frame.series else None
    value = series.last if series else math.nan
    shade = colour(value, frame.panel.field)
    frame.canvas.box((frame.x, frame.y), (frame.width, frame.height), mixed("#181b1f", shade, 0.75), radius=3)
    points = [each for each in series.points if math.isfinite(each[1])] if series else []
    highest = max((each for _, each in points), default=0.0)
    if len(points) > 1 and highest > 0:
        line = [
            (
                frame.x + frame.width * frame.across(at),
                frame.y + frame.height * (1 - 0.4 * max(0.0, each) / highest),
            )
            for at, each in points
        ]
        floor = frame.y + frame.height
        frame.canvas.area([(line[0][0], floor), *line, (line[-1][0], floor)], "#ffffff", 40)
    text = told(value, frame.panel.field)
    size = next((size for size in (34, 26, 20, 15) if frame.canvas.width(text, size) < frame.width - 16), 12)
    frame.canvas.text((frame.x + frame.width / 2, frame.y + frame.height / 2), text, size, "#ffffff", "mm")
