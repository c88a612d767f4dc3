"""Progress that is honest: percent over both legs, never falling within a series, 100 only when terminal. Pure."""

from __future__ import annotations

import msgspec

from mediafleet_core.progress.expected import RECEIVED_PERCENT

__all__ = [
    "LONGEST_ETA",
    "MOST_BEFORE_TERMINAL",
    "RECEIVED_PERCENT",
    "Progress",
    "Units",
    "WorkProgress",
    "tellable",
    "whole_percent",
]

MOST_BEFORE_TERMINAL = 99.0
"""No state but a terminal one shows more."""

LONGEST_ETA = 365 * 86400.0
"""Seconds. Who is slower than that has stopped; and a message can hold only so much."""


class Units(msgspec.Struct, frozen=True, kw_only=True):
    """What is done within the current stage; `eta_seconds` is the remaining time of the whole, None while unknown."""

    step: str = ""
    bytes_done: int = 0
    bytes_total: int | None = None
    items_done: int = 0
    items_total: int = 0
    eta_seconds: float | None = None


class Progress(Units, frozen=True, kw_only=True):
    """How far an upload is.

    `percent` is what a bar shows (0 to 100, 100 in every terminal state), `work_percent` the work really done.
    `attempt` is the running or next attempt, from 1; 0 before the first.
    """

    series: int = 1
    percent: float = 0.0
    work_percent: float = 0.0
    stage: str = "receiving"
    attempt: int = 0


class WorkProgress(Units, frozen=True, kw_only=True):
    """What a worker reports of a running job: `percent` of the whole upload, and where it is within it."""

    percent: float
    stage: str


def whole_percent(share: float) -> float:
    """Percent of the whole upload, with one decimal, when `share` (0 to 1) of the processing leg is done."""
    percent = RECEIVED_PERCENT + (100.0 - RECEIVED_PERCENT) * min(1.0, max(0.0, share))
    return round(min(MOST_BEFORE_TERMINAL, percent), 1)


def tellable(eta: float) -> float | None:
    """Seconds that are left, None where they are more than anybody waits."""
    return eta if eta <= LONGEST_ETA else None
