"""Progress that is honest: percent over both legs, never falling within a series, 100 only when terminal. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

RECEIVED_PERCENT = 30.0
"""Percent shown when every byte is received and durable; processing moves it from here to below 100."""

MOST_BEFORE_TERMINAL = 99.0
"""No state but a terminal one shows more."""


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


STAGES: Mapping[str, float] = MappingProxyType({"fetch": 10.0, "process": 45.0, "store": 13.0, "commit": 2.0})
"""Stages of processing in order, with their share of percent; they fill what receiving leaves."""


def work_percent(stage: str, fraction: float, stages: Mapping[str, float] = STAGES) -> float:
    """Percent of the whole upload when `fraction` (0 to 1) of `stage` is done."""
    names: Sequence[str] = list(stages)
    before = sum(stages[name] for name in names[: names.index(stage)])
    share = stages[stage] * min(1.0, max(0.0, fraction))
    return min(MOST_BEFORE_TERMINAL, RECEIVED_PERCENT + before + share)
