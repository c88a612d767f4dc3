"""Overview: are users hurt, where, and which board comes next?"""

from __future__ import annotations

from typing import Final

from deploy.grafana.boards.common import (
    CALLS,
    FAILED_CALL_STEPS,
    FINISHED,
    HANDLED,
    OLDEST,
    OUR_FAULT,
    OURS,
    STORAGE_TROUBLE,
    WAIT_SECONDS,
)
from deploy.grafana.boards.hurt import FIRING, HURT
from deploy.grafana.boards.parts import PARTS
from deploy.grafana.model import (
    Board,
    Colour,
    Column,
    Panel,
    Query,
    Row,
    Shape,
    Unit,
    none_is_good,
    rising,
)
from deploy.grafana.promql import KIND, PROCESS, quantile, rate, total

_NOTHING: Final = 'label_replace(vector(0), "alertname", "none is firing", "", "")'

_WHERE: Final = Row(
    "Where?",
    [
        Panel(
            title="Firing alerts",
            means="Each alert that fires, with how urgent it is. The name is also that of its runbook.",
            do="A page means that users are hurt or soon will be; a ticket can wait for the morning.",
            unit=Unit.COUNT,
            shape=Shape.TABLE,
            queries=[Query(f"sum by (alertname, severity) ({FIRING}) or on() {_NOTHING}", "Firing")],
            columns={"Firing": Column(Unit.COUNT, none_is_good())},
            width=8,
            height=7,
        ),
        *PARTS,
    ],
)

_CALLS: Final = Row(
    "Calls: rate, errors, duration",
    [
        Panel(
            title="Calls",
            means="Answered calls per second, by service.",
            do="A sudden drop means that callers cannot reach the gateways, or that they stopped. Compare with errors.",
            unit=Unit.CALLS_PER_SECOND,
            queries=[Query(total(rate(HANDLED, PROCESS, OURS), "grpc_service"), "{{grpc_service}}")],
        ),
        Panel(
            title="Calls that fail, by code",
            means="Share of all calls that ended with a code which is the service's fault.",
            do="UNAVAILABLE: a gateway, Redis or storage is away. INTERNAL: a bug, see the log. Open Gateway.",
            unit=Unit.SHARE,
            steps=rising(*FAILED_CALL_STEPS),
            queries=[
                Query(
                    f"{total(rate(HANDLED, PROCESS, OURS, OUR_FAULT), 'grpc_code')}"
                    f" / on() group_left() clamp_min({CALLS}, 1e-9)",
                    "{{grpc_code}}",
                )
            ],
            runbooks=("AvailabilityBurnFast", "AvailabilityBurnSlow"),
            opens="mediafleet-gateway",
        ),
        Panel(
            title="Duration of calls",
            means="Time from start to end of unary calls: half of them, and the slowest hundredth.",
            do="Rising p99 with a flat p50 is one slow method or pod; both rising is Redis or CPU. Open Gateway.",
            unit=Unit.SECONDS,
            steps=rising(0.5, 2),
            queries=[
                Query(quantile(q, "grpc_server_handling_seconds", PROCESS, OURS), f"p{q * 100:g}") for q in (0.5, 0.99)
            ],
            opens="mediafleet-gateway",
        ),
    ],
)

_WORK: Final = Row(
    "Work and storage",
    [
        Panel(
            title="Oldest job waits, by queue",
            means="How long the first in line of each queue has been due.",
            do="One queue: its workers are gone, full or stuck. All queues: Redis or every worker. Open Queues.",
            unit=Unit.SECONDS,
            steps=rising(WAIT_SECONDS, 10 * WAIT_SECONDS),
            queries=[Query(OLDEST, "{{queue}}")],
            opens="mediafleet-queues",
            runbooks=("QueueOldest",),
        ),
        Panel(
            title="Finished work",
            means="Jobs per second, by what became of them.",
            do="`retried` and `lost` cost time only; `failed` and `timed_out` reach users. Open Kinds of work.",
            unit=Unit.PER_SECOND,
            queries=[Query(total(rate(FINISHED, KIND), "outcome"), "{{outcome}}")],
            stacked=True,
            opens="mediafleet-kinds",
        ),
        Panel(
            title="Storage trouble, by outcome",
            means="Storage operations per second that did not end well.",
            do="denied: credentials. throttled: too many requests. The rest: the network or the storage itself.",
            unit=Unit.PER_SECOND,
            steps=none_is_good(Colour.WARNING),
            queries=[
                Query(
                    total(rate("mediafleet_storage_requests_total", PROCESS, STORAGE_TROUBLE), "outcome"), "{{outcome}}"
                )
            ],
            opens="mediafleet-storage",
            runbooks=("StorageErrors", "StorageThrottled"),
        ),
    ],
)

BOARD: Final = Board(
    "mediafleet-overview",
    "mediafleet / Overview",
    "Are users hurt, where, and which board comes next? Each figure of the first line links to it.",
    [HURT, _WHERE, _CALLS, _WORK],
)
