"""What several boards ask for. What counts as the service's fault is as in docs/alerts.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from deploy.grafana.model import Column, Query, Steps, Unit, rising
from deploy.grafana.promql import FLEET, PROCESS, QUEUE, busiest, least, most, quantile, rate, series, share, total

OURS: Final = 'grpc_service=~"mediafleet[.].+"'
"""Calls of the product, not of health checks and reflection."""
OUR_FAULT: Final = 'grpc_code=~"UNAVAILABLE|INTERNAL|UNKNOWN|DATA_LOSS|DEADLINE_EXCEEDED"'
"""Codes that mean that the service failed, and not its caller; of streams, a deadline is the caller's affair."""
AVAILABILITY: Final = 0.999
"""Share of calls that may be expected to be answered: the objective."""
WAIT_OBJECTIVE: Final = 0.99
WAIT_SECONDS: Final = 60
"""So large a share of jobs starts within so many seconds: the objective."""

HANDLED: Final = "grpc_server_handled_total"
CALLS: Final = total(rate(HANDLED, PROCESS, OURS))
FAILED_CALLS: Final = (
    "clamp_min("
    + total(rate(HANDLED, PROCESS, OURS, 'grpc_code=~"UNAVAILABLE|INTERNAL|UNKNOWN|DATA_LOSS"'))
    + " + "
    + total(rate(HANDLED, PROCESS, OURS, 'grpc_type="unary"', 'grpc_code="DEADLINE_EXCEEDED"'))
    + " + "
    + total(rate("mediafleet_rejected_total", PROCESS, 'reason="STORAGE_DENIED"'))
    + " - "
    + total(rate("mediafleet_rejected_total", PROCESS, 'reason="DRAINING"'))
    + ", 0)"
)
FAILED_CALL_SHARE: Final = share(FAILED_CALLS, CALLS)
FAILED_CALL_STEPS: Final = (1 - AVAILABILITY, 14.4 * (1 - AVAILABILITY))
"""From the one on the error budget shrinks; from the other on somebody is paged within minutes."""

_READ_AT: Final = most(
    series("mediafleet_queue_exporter_last_success_timestamp_seconds", FLEET), "cluster", "namespace"
)
_DUE_SINCE: Final = least(
    series("mediafleet_queue_oldest_enqueued_timestamp_seconds", QUEUE), "cluster", "namespace", "queue"
)
OLDEST: Final = most(f"clamp_min({_READ_AT} - on (cluster, namespace) group_right () {_DUE_SINCE}, 0)", "queue")
"""Per queue: how long the first in line had been due when the figures were read."""

STEP: Final = "mediafleet_ledger_operation_seconds"
"""A step that a process asks of Redis."""


def slowest(histogram: str, label: str, *matchers: str) -> tuple[Query, Query]:
    """For a table: the ten whose slowest hundredth takes longest, and how often they come."""
    ten = busiest(10, quantile(0.99, histogram, PROCESS, *matchers, by=(label,)))
    calls = total(rate(f"{histogram}_count", PROCESS, *matchers), label)
    return Query(ten, "p99"), Query(f"{calls} and on ({label}) {ten}", "Per second")


def slowest_columns(steps: Steps) -> Mapping[str, Column]:
    """How that table shows them."""
    return {"p99": Column(Unit.SECONDS, steps), "Per second": Column(Unit.PER_SECOND)}


STEP_STEPS: Final = rising(0.05, 0.25)

FINISHED: Final = "mediafleet_jobs_finished_total"
FAILED_WORK: Final = 'outcome=~"failed|timed_out"'
FINISHED_WORK: Final = 'outcome=~"succeeded|failed|timed_out"'
"""Attempts that ended a job; the others are tried again, given back or cancelled."""

STORAGE_TROUBLE: Final = 'outcome=~"denied|throttled|timeout|network|server_error"'
STORAGE_ERROR_SHARE: Final = share(
    total(rate("mediafleet_storage_requests_total", PROCESS, STORAGE_TROUBLE)),
    total(rate("mediafleet_storage_requests_total", PROCESS)),
)
