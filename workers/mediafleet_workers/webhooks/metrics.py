"""What is counted of webhooks. Every expected label set exists from the start."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from mediafleet_core.ports import TryOutcome

_DURATIONS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

UNREADABLE = "unreadable"
"""The outcome of a try whose message could not be read, so that nothing was sent."""

TRIES = Counter("mediafleet_webhook_tries", "Tries to send webhook messages, by what came of it.", ["outcome"])
GIVEN_UP = Counter("mediafleet_webhook_given_up", "Webhook messages that are not tried any more.")
PENDING = Gauge(
    "mediafleet_webhook_pending",
    "Webhook messages that are not delivered yet, as this process last saw; take the maximum over processes.",
)
DURATION = Histogram("mediafleet_webhook_duration_seconds", "Time that a try took.", buckets=_DURATIONS)

for _outcome in [*map(str.lower, TryOutcome), UNREADABLE]:
    TRIES.labels(_outcome)
