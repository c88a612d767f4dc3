"""Values as people read them, ticks of an axis, and the colour that thresholds give."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from deploy.grafana.drawing.canvas import COLOURS
from deploy.grafana.model import Unit

_ANY: Final = 0.001
"""A threshold below stands for "anything at all", and would lie on the axis."""
_BYTES: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_TIMES: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "us"))


def told(value: float, field: Mapping[str, Any]) -> str:
    """With its unit, or the word that stands for it."""
    if math.isnan(value):
        return "no data"
    for mapping in field.get("mappings", []):
        if word := mapping["options"].get(f"{value:g}"):
            return str(word["text"])
    match field.get("unit"):
        case Unit.SECONDS:
            return _seconds(value)
        case Unit.SHARE:
            return f"{_short(value * 100)} %"
        case Unit.BYTES:
            return _bytes(value)
        case Unit.BYTES_PER_SECOND:
            return f"{_bytes(value)}/s"
        case Unit.CALLS_PER_SECOND | Unit.PER_SECOND:
            return f"{_short(value)}/s"
        case Unit.DOLLARS:
            return f"${value:,.2f}"
        case _:
            return _short(value)


def colour(value: float, field: Mapping[str, Any]) -> str:
    """Of the highest threshold that the value reaches."""
    steps = field["thresholds"]["steps"]
    reached = [step for step in steps if step["value"] is None or value >= step["value"]]
    return COLOURS[reached[-1]["color"]] if reached and not math.isnan(value) else COLOURS["text"]


def limits(field: Mapping[str, Any]) -> list[tuple[float, str]]:
    """Thresholds that a graph shows, with their colours."""
    style = field.get("custom", {}).get("thresholdsStyle", {}).get("mode")
    if style != "dashed":
        return []
    steps = field["thresholds"]["steps"]
    return [(step["value"], COLOURS[step["color"]]) for step in steps if (step["value"] or 0) >= _ANY]


def ticks(top: float, unit: object, count: int = 4) -> list[float]:
    """Round values from 0 to the first beyond `top`."""
    base = 1.0
    if unit == Unit.SECONDS:
        base = next((size for size, _ in _TIMES[:3] if top >= 2 * size), 1.0)
    if unit in {Unit.BYTES, Unit.BYTES_PER_SECOND} and top >= 1024:
        base = 1024.0 ** int(math.log(top, 1024))
    raw = top / base / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(each * power for each in (1, 2, 2.5, 5, 10) if each * power >= raw * 0.999) * base
    return [step * number for number in range(math.ceil(top / step - 1e-9) + 1)]


def _seconds(value: float) -> str:
    if value == 0:
        return "0 s"
    size, name = next(((size, name) for size, name in _TIMES if abs(value) >= size), _TIMES[-1])
    return f"{_short(value / size)} {name}"


def _bytes(value: float) -> str:
    power = min(int(math.log(abs(value), 1024)), len(_BYTES) - 1) if abs(value) >= 1 else 0
    return f"{_short(value / 1024**power)} {_BYTES[power]}"


def _short(value: float) -> str:
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:.3g} M"
    if size >= 1e4:
        return f"{value / 1e3:.3g} k"
    if size >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.3g}" if size >= 0.001 else f"{value:.1g}"
