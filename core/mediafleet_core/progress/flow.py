"""The recent rate of anything: what was done and the time that it took, both fading alike."""

from __future__ import annotations

from math import exp


class Flow:
    """Units per second. What is `memory` seconds old counts a third of what is new."""

    def __init__(self, memory: float, units: float = 0.0, seconds: float = 0.0) -> None:
        """`units` in `seconds` are what is believed before anything is known."""
        self._memory = memory
        self._units, self._seconds = units, seconds

    def add(self, units: float, seconds: float) -> None:
        """`units` more were done in `seconds` more."""
        kept = exp(-seconds / self._memory)
        self._units, self._seconds = self._units * kept + units, self._seconds * kept + seconds

    def rate(self, silence: float = 0.0) -> float | None:
        """Units per second, when nothing was heard for `silence` seconds; None if that cannot be told."""
        kept = exp(-silence / self._memory)
        seconds = self._seconds * kept + silence
        return self._units * kept / seconds if seconds > 0 and self._units > 0 else None
