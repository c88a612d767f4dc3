"""The latest comparison with the bucket on the metrics page of whoever keeps house, as the ledger knows it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import REGISTRY, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from mediafleet_core.usage import Reconciliation

GOOD_FOR = 15.0
"""Seconds that what was read is shown: who leads no more reads no more."""


class Comparisons(Collector):
    """Shows what was read last; a page waits for no ledger."""

    def __init__(self) -> None:
        """Shows nothing yet."""
        self._read: tuple[float, Reconciliation] | None = None

    def show(self, known: Reconciliation) -> None:
        """This was read just now."""
        self._read = time.monotonic(), known

    def describe(self) -> Iterator[Metric]:
        """Nothing is there from the start: only whoever leads tells."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """What the page shows; 0 seconds since 1970 for a bucket that was never compared."""
        at, known = self._read or (0.0, Reconciliation(None, None))
        if self._read is None or time.monotonic() - at > GOOD_FOR:
            return
        latest, progress = known
        yield GaugeMetricFamily(
            "mediafleet_reconcile_last_success_timestamp_seconds",
            "When usage was last compared with the bucket; 0 for never.",
            value=latest.time.timestamp() if latest else 0.0,
        )
        yield GaugeMetricFamily(
            "mediafleet_usage_drift_bytes",
            "How many bytes the bucket had more than the counters of usage when they were last compared.",
            value=latest.drift.size if latest else 0,
        )
        yield GaugeMetricFamily(
            "mediafleet_usage_drift_objects",
            "How many objects the bucket had more than the counters of usage when they were last compared.",
            value=latest.drift.objects if latest else 0,
        )
        yield GaugeMetricFamily(
            "mediafleet_reconcile_listed_objects",
            "Objects listed so far by the comparison that is under way; 0 while there is none.",
            value=progress.listed if progress else 0,
        )


COMPARISONS = Comparisons()
REGISTRY.register(COMPARISONS)
