"""Watchers whose gateways die under them are told every transition once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benchmarks.watch_chaos import stage, watch_through_kills


@pytest.mark.parametrize(("jobs", "every"), [(8, 1.0), pytest.param(100, 2.0, marks=pytest.mark.long)])
def test_no_transition_is_missed_or_repeated_while_gateways_are_killed(tmp_path: Path, jobs: int, every: float) -> None:
    with stage(tmp_path) as server:
        went = asyncio.run(watch_through_kills(server, jobs, every, seed=jobs))
    assert went.kills
    assert went.gaps
    assert went.faults == []
