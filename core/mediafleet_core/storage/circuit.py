"""Whether the storage is worth asking: a circuit breaker's states, without a clock or a store of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from time import monotonic

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.storage.troubles import unavailable


class CircuitState(StrEnum):
    """CLOSED lets calls through, OPEN refuses them, PROBING lets one through to see."""

    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


class Circuit:
    """Opens after `failures` calls in a row found the storage away, all within `window` seconds.

    Then calls are refused for `cooldown` seconds; after that one is let through, and its end decides. A storage that
    denies, misses a key or asks to slow down (R2 does so for a single key) is there. A call that its caller gave up
    says nothing.
    """

    def __init__(
        self,
        failures: int,
        window: float,
        cooldown: float,
        *,
        on_change: Callable[[CircuitState], None] = lambda state: None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Closed; `on_change` is told each state from now on, this one too."""
        self._failures, self._window, self._cooldown = failures, window, cooldown
        self._on_change, self._clock = on_change, clock
        self._in_a_row = 0
        self._first = self._until = 0.0
        self._cause = self._message = ""
        self._become(CircuitState.CLOSED)

    @contextmanager
    def call(self) -> Iterator[Callable[[], None]]:
        """The frame of one call; gives what tells of a success before the end. Raises STORAGE_UNAVAILABLE at once."""
        probe = self._let_through()
        try:
            yield self._close
        except MediafleetError as error:
            if error.reason is not Reason.STORAGE_UNAVAILABLE or error.metadata.get("cause") == "throttled":
                self._close()
            else:
                self._failed(error, probe)
            raise
        except BaseException:
            if probe and self._state is CircuitState.PROBING:
                self._become(CircuitState.OPEN)  # its time is over, so the next call is the probe
            raise
        else:
            self._close()

    def _let_through(self) -> bool:
        """Whether this call is the probe."""
        if self._state is CircuitState.CLOSED:
            return False
        left = self._until - self._clock()
        if self._state is CircuitState.PROBING or left > 0:
            error = unavailable(self._cause, f"{self._message}; it is left alone for a while")
            error.retry_after = max(left, 1.0) * random.uniform(1.0, 1.5)
            raise error
        self._become(CircuitState.PROBING)
        return True

    def _close(self) -> None:
        self._in_a_row = 0
        if self._state is not CircuitState.CLOSED:
            self._become(CircuitState.CLOSED)

    def _failed(self, error: MediafleetError, probe: bool) -> None:
        now = self._clock()
        self._cause, self._message = error.metadata.get("cause", ""), error.message
        if not self._in_a_row or now - self._first > self._window:
            self._in_a_row, self._first = 0, now
        self._in_a_row += 1
        failed_probe = probe and self._state is CircuitState.PROBING
        too_many = self._state is CircuitState.CLOSED and self._in_a_row >= self._failures
        if failed_probe or too_many:
            self._until = now + self._cooldown
            self._become(CircuitState.OPEN)

    def _become(self, state: CircuitState) -> None:
        self._state = state
        self._on_change(state)
