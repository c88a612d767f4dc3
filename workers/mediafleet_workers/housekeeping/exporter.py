"""The fleet's figures on the metrics page of whoever leads, and on no other, so that a sum over all pages is true."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import REGISTRY, Metric
from prometheus_client.registry import Collector

from mediafleet_core.ports import Figures
from mediafleet_workers.housekeeping import families


class Exporter(Collector):
    """A collector of figures that were read before: a page waits for no ledger.

    The scrape runs in a thread of its own; each attribute is replaced at once.
    """

    def __init__(self) -> None:
        """Shows nothing yet."""
        self._leads_until: float | None = None
        self._figures: Figures | None = None
        self._last_success = 0.0

    @contextmanager
    def on_page(self) -> Iterator[None]:
        """On this process's page inside the context."""
        REGISTRY.register(self)
        try:
            yield
        finally:
            REGISTRY.unregister(self)

    def lead(self, until: float) -> None:
        """This process leads until then, by `time.monotonic`.

        Where no answer renews that in time, nobody knows who leads. So the ledger is shown as away, and no figures.
        """
        self._leads_until = until

    def follow(self) -> None:
        """Another process leads."""
        self._leads_until = self._figures = None

    def show(self, figures: Figures) -> None:
        """These were read just now."""
        self._figures, self._last_success = figures, time.time()

    def describe(self) -> Iterator[Metric]:
        """Nothing: several in one process, as in tests, have the same names."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """What the page shows."""
        until, figures = self._leads_until, self._figures
        if until is None:
            return
        up = time.monotonic() < until
        yield families.redis_up(up)
        yield families.last_success(self._last_success)
        if up and figures is not None:
            yield from families.of(figures)
