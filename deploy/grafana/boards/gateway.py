"""Gateway: calls, uploads on their way in, and the processes that take them."""

from __future__ import annotations

from typing import Final

from deploy.grafana.boards.common import (
    FAILED_CALL_SHARE,
    FAILED_CALL_STEPS,
    HANDLED,
    OUR_FAULT,
    OURS,
    STEP,
    STEP_STEPS,
    slowest,
    slowest_columns,
)
from deploy.grafana.boards.processes import process_row
from deploy.grafana.model import Board, Colour, Panel, Query, Row, Shape, Unit, none_is_good, rising
from deploy.grafana.promql import PROCESS, busiest, or_none, quantile, rate, series, total

_HANDLING: Final = "grpc_server_handling_seconds"

_NOW: Final = Row(
    "Now",
    [
        Panel(
            title="Calls that fail",
            means="Share of calls that the service failed to answer.",
            do="Look below which method and which code, and in the log of the gateways for `call_failed`.",
            unit=Unit.SHARE,
            shape=Shape.STAT,
            steps=rising(*FAILED_CALL_STEPS),
            queries=[Query(FAILED_CALL_SHARE, "failed")],
            width=6,
            height=4,
            runbooks=("AvailabilityBurnFast",),
        ),
        Panel(
            title="Calls under way",
            means="Calls that have begun and not ended, open watches among them.",
            do="Growing without end while the rate stays: something behind the gateways is slow.",
            unit=Unit.COUNT,
            shape=Shape.STAT,
            queries=[Query(f"sum({series('mediafleet_inflight_rpcs', PROCESS)})", "under way")],
            width=6,
            height=4,
        ),
        Panel(
            title="Uploads sending bytes",
            means="Uploads that are admitted and send. Beyond the limits of a gateway callers are asked to come back.",
            do="At the limit (256 a gateway unless set) for long: more gateways.",
            unit=Unit.COUNT,
            shape=Shape.STAT,
            queries=[Query(f"sum({series('mediafleet_uploads_in_flight', PROCESS)})", "sending")],
            width=6,
            height=4,
        ),
        Panel(
            title="Gateways that drain",
            means="Gateways that take no new calls because they are about to end.",
            do="Normal in a rollout. Otherwise something ends pods: look at the events of the cluster.",
            unit=Unit.COUNT,
            shape=Shape.STAT,
            steps=none_is_good(Colour.WARNING),
            queries=[Query(f"sum({series('mediafleet_draining', PROCESS)})", "draining")],
            width=6,
            height=4,
            opens="mediafleet-rollout",
        ),
    ],
)

_CALLS: Final = Row(
    "Calls",
    [
        Panel(
            title="Calls by method",
            means="The ten busiest methods, in calls per second.",
            do="Compare with a usual day. A method that is far up: one caller may have gone wild.",
            unit=Unit.CALLS_PER_SECOND,
            queries=[Query(busiest(10, total(rate(HANDLED, PROCESS, OURS), "grpc_method")), "{{grpc_method}}")],
        ),
        Panel(
            title="Answers by code",
            means="How calls end. OK, NOT_FOUND, FAILED_PRECONDITION and the like are the caller's affair.",
            do="UNAVAILABLE, INTERNAL or DEADLINE_EXCEEDED are ours: see the next panel.",
            unit=Unit.CALLS_PER_SECOND,
            queries=[Query(busiest(10, total(rate(HANDLED, PROCESS, OURS), "grpc_code")), "{{grpc_code}}")],
            stacked=True,
        ),
        Panel(
            title="Failed calls by method",
            means="Methods with calls that failed, per second.",
            do="All methods: Redis. Only writes, finishes and downloads: storage. One method: a bug in it.",
            unit=Unit.CALLS_PER_SECOND,
            steps=none_is_good(Colour.WARNING),
            queries=[
                Query(
                    or_none(total(rate(HANDLED, PROCESS, OURS, OUR_FAULT), "grpc_method"), "grpc_method"),
                    "{{grpc_method}}",
                )
            ],
            runbooks=("AvailabilityBurnFast",),
        ),
        Panel(
            title="Duration of unary calls",
            means="Time that half, nine tenths and all but a hundredth of the calls take.",
            do="Over half a second at p99: look at Redis' steps and at the event loop's lag below.",
            unit=Unit.SECONDS,
            steps=rising(0.5, 2),
            queries=[Query(quantile(q, _HANDLING, PROCESS, OURS), f"p{q * 100:g}") for q in (0.5, 0.9, 0.99)],
        ),
        Panel(
            title="Slowest methods",
            means="The ten methods whose slowest hundredth takes longest, and how often they are called.",
            do="UploadFile and finishes wait for storage, the others for Redis only.",
            unit=Unit.SECONDS,
            shape=Shape.TABLE,
            queries=slowest(_HANDLING, "grpc_method", OURS),
            columns=slowest_columns(rising(0.5, 2)),
            largest_first=True,
        ),
        Panel(
            title="Durations",
            means="How many calls took how long: the brighter, the more.",
            do="Two bands far apart are two kinds of callers or one slow gateway; a smear upwards is overload.",
            unit=Unit.SECONDS,
            shape=Shape.HEATMAP,
            queries=[Query(total(rate(f"{_HANDLING}_bucket", PROCESS, OURS), "le"), "{{le}}")],
        ),
    ],
)

_UPLOADS: Final = Row(
    "Uploads",
    [
        Panel(
            title="Bytes taken in",
            means="Content that arrives by streams and small uploads. Direct uploads go past the gateways.",
            do="Compare with storage's bytes written: they should go together.",
            unit=Unit.BYTES_PER_SECOND,
            queries=[Query(total(rate("mediafleet_ingest_bytes_total", PROCESS), "pod"), "{{pod}}")],
            stacked=True,
        ),
        Panel(
            title="Memory held by uploads",
            means="Bytes that admitted uploads may hold, by gateway.",
            do="At the limit (512 MiB unless set) newcomers wait: slow storage or too few gateways.",
            unit=Unit.BYTES,
            steps=rising(400 << 20, 500 << 20),
            queries=[Query(series("mediafleet_upload_bytes_in_flight", PROCESS), "{{pod}}")],
        ),
        Panel(
            title="Refusals by reason",
            means="The ten most frequent reasons for which calls were refused or failed.",
            do="RATE_LIMITED and QUOTA_EXCEEDED: a tenant at its limits. *_UNAVAILABLE: that part is away.",
            unit=Unit.CALLS_PER_SECOND,
            queries=[Query(busiest(10, total(rate("mediafleet_rejected_total", PROCESS), "reason")), "{{reason}}")],
        ),
        Panel(
            title="Sizes of uploads",
            means="Sizes of originals at their finish: half are smaller, and nine tenths.",
            do="Nothing. It explains changes in the other figures.",
            unit=Unit.BYTES,
            queries=[Query(quantile(q, "mediafleet_upload_size_bytes", PROCESS), f"p{q * 100:g}") for q in (0.5, 0.9)],
        ),
        Panel(
            title="Refused by a quota",
            means="Creations per second that were refused because a tenant or a collection is full.",
            do="Tell the tenant, or raise its quota in MEDIAFLEET_TENANTS.",
            unit=Unit.CALLS_PER_SECOND,
            queries=[Query(total(rate("mediafleet_quota_rejections_total", PROCESS)), "refused")],
        ),
        Panel(
            title="Slowest steps of Redis",
            means="The ten steps whose slowest hundredth takes longest, and how often they are asked for.",
            do="All slow: open Redis (disk, memory, CPU). One step: it touches much, such as a batch's cancel.",
            unit=Unit.SECONDS,
            shape=Shape.TABLE,
            queries=slowest(STEP, "operation"),
            columns=slowest_columns(STEP_STEPS),
            largest_first=True,
            opens="mediafleet-redis",
        ),
    ],
)

BOARD: Final = Board(
    "mediafleet-gateway",
    "mediafleet / Gateway",
    "Calls, uploads on their way in, and the processes that take them.",
    [_NOW, _CALLS, _UPLOADS, process_row('job=~".*gateway"', loop=True)],
)
