"""Every expression of every board and rule, asked; what came, as a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks.observed.rules import parts, rules
from deploy.grafana.drawing.boards import Drawable, DrawableBoard, Target, committed
from deploy.grafana.drawing.picture import Range
from deploy.grafana.drawing.prometheus import Prometheus, QueryError, Series
from deploy.grafana.drawing.values import told


class Answered(NamedTuple):
    """One expression and its result; `trouble` if it was refused or nothing came."""

    where: str
    what: str
    expr: str
    result: str
    trouble: bool = False


def of_boards(prometheus: Prometheus, shown: Range) -> Iterator[Answered]:
    """One for each query of each panel, over the time shown."""
    for board in committed():
        for panel in board.panels:
            for target in panel.targets:
                yield _of_target(board, panel, target, prometheus, shown)


def of_rules(prometheus: Prometheus, shown: Range) -> Iterator[Answered]:
    """The whole of each rule, and for alerts each part too: the whole is empty while nothing is wrong."""
    for rule in rules():
        if not rule.alerts:
            yield _asked("recording", rule.name, rule.expr, prometheus, shown)
            continue
        for part in parts(rule.expr):
            answered = _asked("alert, part", rule.name, part, prometheus, shown)
            if part.startswith("absent(") and answered.trouble:
                answered = answered._replace(result="nothing is absent", trouble=False)
            yield answered
        yield _whole(rule.name, rule.expr, prometheus, shown)


def _whole(name: str, expr: str, prometheus: Prometheus, shown: Range) -> Answered:
    try:
        held = prometheus.over(expr, shown.start, shown.end, shown.step)
        fired = prometheus.over(
            f'ALERTS{{alertname="{name}", alertstate="firing"}}', shown.start, shown.end, shown.step
        )
    except QueryError as error:
        return Answered("alert", name, expr, str(error), True)
    if fired:
        return Answered("alert", name, expr, "fired", True)
    return Answered("alert", name, expr, "held for a while, did not fire" if held else "silent")


def _asked(where: str, name: str, expr: str, prometheus: Prometheus, shown: Range) -> Answered:
    try:
        found = prometheus.over(expr, shown.start, shown.end, shown.step)
    except QueryError as error:
        return Answered(where, name, expr, str(error), True)
    return Answered(where, name, expr, *_summary(found, {}))


def _of_target(board: DrawableBoard, panel: Drawable, target: Target, prometheus: Prometheus, shown: Range) -> Answered:
    expr = board.expression(target.expr, shown.rate_interval)
    what = f"{panel.title}: {target.legend}" if panel.kind == "table" else panel.title
    try:
        if target.instant:
            found = prometheus.at(expr, shown.end)
        else:
            found = prometheus.over(expr, shown.start, shown.end, shown.step)
    except QueryError as error:
        return Answered(board.name, what, target.expr, str(error), True)
    return Answered(board.name, what, target.expr, *_summary(found, panel.overrides.get(target.legend, panel.field)))


def _summary(found: Sequence[Series], field: object) -> tuple[str, bool]:
    """How many series, and the range of their last values; trouble if there is no number at all."""
    values = [series.last for series in found if not math.isnan(series.last)]
    if not values:
        return ("no series" if not found else f"{len(found)} series without a number"), True
    low, high = (told(value, field) for value in (min(values), max(values)))  # type: ignore[arg-type]
    return f"{len(found)} series, {low}" + (f" to {high}" if low != high else ""), False


def table(answers: Sequence[Answered]) -> Iterator[str]:
    """In Markdown."""
    yield "| where | what | expression | result |"
    yield "|---|---|---|---|"
    for each in answers:
        expr = " ".join(each.expr.split()).replace("|", "\\|")
        trouble = "**trouble:** " if each.trouble else ""
        yield f"| {each.where} | {each.what} | `{expr}` | {trouble}{each.result} |"
