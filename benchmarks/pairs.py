"""Measuring two things in turn, so that a drifting machine hits both, and quoting medians and ratios."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Iterator
from typing import NamedTuple

from rich.progress import track


class Pair(NamedTuple):
    """One comparison: medians of both sides in `unit`, and the median of the ratios, pair by pair."""

    name: str
    unit: str
    subject: str
    reference: str
    subject_median: float
    reference_median: float
    ratio: float
    ratio_min: float
    ratio_max: float
    rounds: int


def measure(
    name: str,
    unit: str,
    subject: tuple[str, Callable[[], float]],
    reference: tuple[str, Callable[[], float]],
    *,
    rounds: int,
) -> Pair:
    """Both sides once unmeasured, then in turn for so many rounds; each call returns its figure in `unit`."""
    (name_of, ours), (name_of_other, theirs) = subject, reference
    sides = (name_of, lambda: (ours(),)), (name_of_other, lambda: (theirs(),))
    return measure_all(name, (unit,), *sides, rounds=rounds)[0]


def measure_all(
    name: str,
    units: tuple[str, ...],
    subject: tuple[str, Callable[[], tuple[float, ...]]],
    reference: tuple[str, Callable[[], tuple[float, ...]]],
    *,
    rounds: int,
) -> list[Pair]:
    """As `measure`; a call returns one figure for each unit, and each makes a comparison."""
    subject[1](), reference[1]()
    runs = [(subject[1](), reference[1]()) for _ in track(range(rounds), description=name, transient=True)]
    return [
        _pair(name, unit, subject[0], reference[0], figures)
        for unit, figures in zip(units, _by_unit(runs), strict=True)
    ]


def _by_unit(runs: list[tuple[tuple[float, ...], tuple[float, ...]]]) -> Iterator[list[tuple[float, float]]]:
    for index in range(len(runs[0][0])):
        yield [(ours[index], theirs[index]) for ours, theirs in runs]


def _pair(name: str, unit: str, subject: str, reference: str, figures: list[tuple[float, float]]) -> Pair:
    ratios = sorted(ours / theirs for ours, theirs in figures)
    return Pair(
        name,
        unit,
        subject,
        reference,
        statistics.median(ours for ours, _ in figures),
        statistics.median(theirs for _, theirs in figures),
        statistics.median(ratios),
        ratios[0],
        ratios[-1],
        len(figures),
    )


def quantile(values: list[float], percent: int) -> float:
    """The value below which so many percent lie; never beyond the largest."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def rows(pairs: list[Pair]) -> Iterator[str]:
    """A Markdown table of the comparisons."""
    yield "| what | ours (median) | reference (median) | ratio (min to max) |"
    yield "|---|---|---|---|"
    for pair in pairs:
        ours = f"{pair.subject}: {_figure(pair.subject_median)} {pair.unit}"
        theirs = f"{pair.reference}: {_figure(pair.reference_median)} {pair.unit}"
        spread = f"{pair.ratio:.2f} ({pair.ratio_min:.2f} to {pair.ratio_max:.2f})"
        yield f"| {pair.name} | {ours} | {theirs} | {spread} |"


def report(pairs: list[Pair], rounds: int) -> Iterator[str]:
    """The table, below what it was measured on."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {rounds} rounds"
    yield f"Measured on {machine}\n"
    yield from rows(pairs)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
