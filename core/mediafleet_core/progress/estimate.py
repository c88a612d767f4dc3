"""How far an attempt is: the time it took so far, over that and the time which it will still take.

What remains is the rest of the running stage at its recent rate, and what the later stages are expected to take at the
pace of the jobs before. So a stage that turns out longer than the table says widens its own share, and percent stays
the share of time.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp

from mediafleet_core.progress import tellable
from mediafleet_core.progress.expected import STAGES
from mediafleet_core.progress.flow import Flow

_RECENT = 3.0
"""Seconds of memory for the rate within a stage."""

_JOBS = 20.0
"""Seconds of work that a worker remembers of its jobs."""

_BELIEF = 1.0
"""Seconds for which the table is believed against what is seen."""

_STRAIGHT = 0.9
"""Part of a step that time alone may pass at full speed; what follows is approached ever slower."""

_LOST = 3.0
"""A step that gives no sign of life for so many times its expected time can be told nothing of."""

_COUNTED = frozenset({"fetch"})
"""Stages that move by their units alone; in the others time may lead until the first word is heard."""

_LEAST = 1e-3
_MOST = 1e5


class Paces:
    """What a worker learns: expected seconds of work done per second, by stage."""

    def __init__(self) -> None:
        """As the table says."""
        self._flows = {stage: Flow(_JOBS, _BELIEF, _BELIEF) for stage in STAGES}

    def of(self, stage: str) -> float:
        """1 is as fast as the table, 2 is twice as fast."""
        return self._flows[stage].rate() or 1.0

    def learn(self, stage: str, expected: float, seconds: float) -> None:
        """A stage that was expected to take `expected` seconds took `seconds`."""
        self._flows[stage].add(expected, seconds)


class Estimate:
    """One attempt, told of every stage and step; times are seconds of any one clock that does not go back."""

    def __init__(self, expected: Mapping[str, float], paces: Paces, now: float) -> None:
        """`expected` are seconds per stage, as the table says."""
        self._expected = dict(expected)
        self._paces = paces
        self._began = now
        self._share = 0.0
        self.enter(STAGES[0], now)

    def enter(self, stage: str, now: float) -> None:
        """A stage begins; those before it are done."""
        self._stage, self._entered, self._told = stage, now, now
        self._fraction, self._until = 0.0, 0.0 if stage in _COUNTED else 1.0
        pace = self._paces.of(stage)
        belief = min(_BELIEF, self._expected[stage] / pace / 4)
        self._flow = Flow(_RECENT, pace * belief, belief)

    def leave(self, now: float) -> None:
        """The stage was done to its end."""
        self._paces.learn(self._stage, self._expected[self._stage], now - self._entered)

    def advance(self, fraction: float, now: float, *, until: float = 0.0, seconds: float | None = None) -> None:
        """`fraction` (0 to 1) of the stage is done.

        Up to `until` no more will be heard, so that time alone may lead there. `seconds` corrects what the whole stage
        is expected to take.
        """
        if seconds is not None and (seconds := min(_MOST, max(_LEAST, seconds))) != self._expected[self._stage]:
            # What came before is no evidence of the pace of what is expected now.
            self._expected[self._stage], self._told = seconds, now
            self._fraction = min(self._fraction, fraction)
        fraction = min(1.0, max(self._fraction, fraction))
        self._flow.add((fraction - self._fraction) * self._expected[self._stage], now - self._told)
        self._fraction, self._until, self._told = fraction, min(1.0, max(fraction, until)), now

    def share(self, now: float, ahead: float = 0.0) -> float:
        """Part of the attempt's time (0 to 1) that is over in `ahead` seconds; never falls."""
        left = self._left(now)[0]
        spent = now - self._began + min(ahead, left / 2)
        self._share = max(self._share, spent / max(_LEAST, now - self._began + left))
        return self._share

    def remaining(self, now: float) -> float | None:
        """Seconds until the attempt's end; None when that cannot be told."""
        left, silent_steps = self._left(now)
        return None if silent_steps > _LOST else tellable(left)

    def _left(self, now: float) -> tuple[float, float]:
        """Seconds left, and how many times the expected time of the running step has passed in silence."""
        whole, silence = self._expected[self._stage], now - self._told
        step = (self._until - self._fraction) * whole
        rate = self._flow.rate(0.0 if step else silence) or self._paces.of(self._stage)
        passed = silence * rate / step if step else 0.0
        fraction = self._fraction + (self._until - self._fraction) * _bounded(passed)
        later = STAGES[STAGES.index(self._stage) + 1 :]
        rest = sum(self._expected[stage] / self._paces.of(stage) for stage in later)
        return (1 - fraction) * whole / rate + rest, passed


def _bounded(passed: float) -> float:
    """Part of a step that is taken for done: all that has passed at first, never the whole."""
    if passed <= _STRAIGHT:
        return passed
    rest = 1 - _STRAIGHT
    return 1 - rest * exp((_STRAIGHT - passed) / rest)
