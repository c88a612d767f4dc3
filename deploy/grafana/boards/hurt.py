"""The first line of Overview: are users hurt?"""

from __future__ import annotations

from typing import Final

from deploy.grafana.alerts import firing
from deploy.grafana.boards.common import (
    AVAILABILITY,
    FAILED_CALL_SHARE,
    FAILED_CALL_STEPS,
    FAILED_WORK,
    FINISHED,
    FINISHED_WORK,
    OLDEST,
    STORAGE_ERROR_SHARE,
    WAIT_SECONDS,
)
from deploy.grafana.model import (
    Panel,
    Query,
    Row,
    Shape,
    Unit,
    falling,
    none_is_good,
    rising,
)
from deploy.grafana.promql import FLEET, PROCESS, most, rate, series, share, total

_MONTH: Final = "30d"
FIRING: Final = firing()
_BUDGET: Final = (
    "1 - "
    + share(
        f"sum(sum_over_time({series('namespace:mediafleet_grpc_errors:rate5m', FLEET)}[{_MONTH}]))",
        f"sum(sum_over_time({series('namespace:mediafleet_grpc_calls:rate5m', FLEET)}[{_MONTH}]))",
    )
    + f" / {1 - AVAILABILITY:.3f}"
)
"""Over recorded series: a month of every call's own would be too much to read for each look."""

HURT: Final = Row(
    "Are users hurt?",
    [
        Panel(
            title="Error budget left, 30 days",
            means=f"How much of the {1 - AVAILABILITY:.1%} of calls that may fail in 30 days is left.",
            do="Below a quarter put off risky changes; at zero only mend. Which calls failed is on the board Gateway.",
            unit=Unit.SHARE,
            shape=Shape.STAT,
            steps=falling(0.5, 0.1),
            queries=[Query(_BUDGET, "left")],
            width=4,
            height=5,
            instant=True,
            opens="mediafleet-gateway",
        ),
        Panel(
            title="Calls that fail",
            means="Share of calls that the service failed to answer. Mistakes of callers do not count.",
            do="Anything that lasts hurts users now. Open Gateway: which method, which code.",
            unit=Unit.SHARE,
            shape=Shape.STAT,
            steps=rising(*FAILED_CALL_STEPS),
            queries=[Query(FAILED_CALL_SHARE, "failed")],
            width=4,
            height=5,
            opens="mediafleet-gateway",
            runbooks=("AvailabilityBurnFast", "GatewayDown"),
        ),
        Panel(
            title="Oldest job waits",
            means="How long the first in line of the slowest queue has been due: the backlog in seconds.",
            do="Minutes mean that people wait for their files. Open Queues and workers: which queue, and why.",
            unit=Unit.SECONDS,
            shape=Shape.STAT,
            steps=rising(WAIT_SECONDS, 10 * WAIT_SECONDS),
            queries=[Query(most(OLDEST), "oldest")],
            width=4,
            height=5,
            opens="mediafleet-queues",
            runbooks=("QueueOldest", "QueueStalled"),
        ),
        Panel(
            title="Work that fails",
            means="Share of jobs that ended without a result. A few bad files are normal.",
            do="A tenth and more is no accident: a codec, a limit or the storage. Open Kinds of work.",
            unit=Unit.SHARE,
            shape=Shape.STAT,
            steps=rising(0.05, 0.2),
            queries=[
                Query(
                    share(
                        total(rate(FINISHED, PROCESS, FAILED_WORK)),
                        total(rate(FINISHED, PROCESS, FINISHED_WORK)),
                    ),
                    "failed",
                )
            ],
            width=4,
            height=5,
            opens="mediafleet-kinds",
            runbooks=("JobFailureRatio",),
        ),
        Panel(
            title="Storage errors",
            means="Share of storage operations that ended in trouble: denied, throttled, timed out, broken off, 5xx.",
            do="Uploads and work stop when storage does. Open Storage and cost: which operation, which outcome.",
            unit=Unit.SHARE,
            shape=Shape.STAT,
            steps=rising(0.01, 0.05),
            queries=[Query(STORAGE_ERROR_SHARE, "in trouble")],
            width=4,
            height=5,
            opens="mediafleet-storage",
            runbooks=("StorageErrors", "StorageDenied"),
        ),
        Panel(
            title="Alerts firing",
            means="Alerts that fire now; the table below names them.",
            do="Read the runbook of each, the most severe first.",
            unit=Unit.COUNT,
            shape=Shape.STAT,
            steps=none_is_good(),
            queries=[Query(f"count({FIRING}) or vector(0)", "firing")],
            width=4,
            height=5,
        ),
    ],
)
