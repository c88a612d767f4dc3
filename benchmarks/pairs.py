"""Measuring two things in turn, so that a drifting machine hits both, and quoting medians and ratios."""

from __future__ import annotations

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
    subject[1](), reference[1]()
    figures = [(subject[1](), reference[1]()) for _ in track(range(rounds), description=name, transient=True)]
    ratios = sorted(ours / theirs for ours, theirs in figures)
    return Pair(
        name,
        unit,
        subject[0],
        reference[0],
        statistics.median(ours for ours, _ in figures),
        statistics.median(theirs for _, theirs in figures),
        statistics.median(ratios),
        ratios[0],
        ratios[-1],
        rounds,
    )


def rows(pairs: list[Pair]) -> Iterator[str]:
    """A Markdown table of the comparisons."""
    yield "| what | ours (median) | reference (median) | ratio (min to max) |"
    yield "|---|---|---|---|"
    for pair in pairs:
        ours = f"{pair.subject}: {pair.subject_median:,.1f} {pair.unit}"
        theirs = f"{pair.reference}: {pair.reference_median:,.1f} {pair.unit}"
        spread = f"{pair.ratio:.2f} ({pair.ratio_min:.2f} to {pair.ratio_max:.2f})"
        yield f"| {pair.name} | {ours} | {theirs} | {spread} |"
