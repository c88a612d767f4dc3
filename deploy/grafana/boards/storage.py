"""Storage and cost: whether the bucket answers, how full it is, and what it costs."""

from __future__ import annotations

from typing import Final

from deploy.grafana.boards.common import STORAGE_ERROR_SHARE, STORAGE_TROUBLE, slowest, slowest_columns
from deploy.grafana.boards.cost import BYTES_USED, FULL, MONTHLY_COST
from deploy.grafana.model import (
    Board,
    Colour,
    Panel,
    Query,
    Row,
    Shape,
    Unit,
    none_is_good,
    rising,
)
from deploy.grafana.promql import FLEET, PROCESS, busiest, or_none, rate, series, total

_REQUESTS: Final = "mediafleet_storage_requests_total"
_DURATION: Final = "mediafleet_storage_request_duration_seconds"
_NOW: Final = Row(
    "Now",
    [
        Panel(
            title="Errors",
            means="Share of operations that ended in trouble.",
            do="See below which operation and which outcome; `mediafleet doctor` names the cause.",
            unit=Unit.SHARE,
            shape=Shape.STAT,
            steps=rising(0.01, 0.05),
            queries=[Query(STORAGE_ERROR_SHARE, "in trouble")],
            width=6,
            height=4,
            runbooks=("StorageErrors",),
        ),
        Panel(
            title="Stored",
            means="Bytes that records name, as counted with every commit.",
            do="Near what you want to pay for: retention and quotas, see the guide to limits.",
            unit=Unit.BYTES,
            shape=Shape.STAT,
            queries=[Query(BYTES_USED, "stored")],
            width=6,
            height=4,
        ),
        Panel(
            title="Cost of a month, about",
            means="Bytes now and operations of the last day, at R2's list prices, without the free allowances.",
            do="`mediafleet usage --bucket` has the estimate with your own prices.",
            unit=Unit.DOLLARS,
            shape=Shape.STAT,
            queries=[Query(MONTHLY_COST, "a month")],
            decimals=2,
            width=6,
            height=4,
        ),
        Panel(
            title="Counted against listed",
            means="Bytes by which the last listing of the bucket differs from the counters.",
            do="Not 0: something outside mediafleet writes to the bucket, or Redis went back in time.",
            unit=Unit.BYTES,
            shape=Shape.STAT,
            steps=none_is_good(Colour.WARNING),
            queries=[Query(f"max(abs({series('mediafleet_usage_drift_bytes', FLEET)}))", "drift")],
            width=6,
            height=4,
            runbooks=("UsageDrift",),
        ),
    ],
)

_ANSWERS: Final = Row(
    "Does it answer?",
    [
        Panel(
            title="Operations",
            means="Operations per second, the ten most frequent.",
            do="Compare with a usual day.",
            unit=Unit.PER_SECOND,
            queries=[Query(busiest(10, total(rate(_REQUESTS, PROCESS), "operation")), "{{operation}}")],
            stacked=True,
        ),
        Panel(
            title="Trouble, by outcome",
            means="Operations per second that did not end well.",
            do="denied: credentials or rights. throttled: too many requests to one key. Others: network or storage.",
            unit=Unit.PER_SECOND,
            steps=none_is_good(Colour.WARNING),
            queries=[Query(total(rate(_REQUESTS, PROCESS, STORAGE_TROUBLE), "outcome"), "{{outcome}}")],
            runbooks=("StorageErrors", "StorageDenied", "StorageThrottled"),
        ),
        Panel(
            title="Trouble, by operation",
            means="Operations that did not end well, per second.",
            do="Only writes denied: a read-only token. Only list: a token without that right.",
            unit=Unit.PER_SECOND,
            steps=none_is_good(Colour.WARNING),
            queries=[
                Query(
                    or_none(total(rate(_REQUESTS, PROCESS, STORAGE_TROUBLE), "operation"), "operation"), "{{operation}}"
                )
            ],
            runbooks=("StorageErrors",),
        ),
        Panel(
            title="Slowest operations",
            means="Slowest hundredth of each operation with its retries, and how often it is done.",
            do="Writes of parts take as long as 8 MiB need. All slow at once: the way to the storage.",
            unit=Unit.SECONDS,
            shape=Shape.TABLE,
            queries=slowest(_DURATION, "operation"),
            columns=slowest_columns(rising(5, 30)),
            largest_first=True,
        ),
        Panel(
            title="Durations",
            means="How many operations took how long: the brighter, the more.",
            do="A band at the upper end is time-outs: see the outcomes.",
            unit=Unit.SECONDS,
            shape=Shape.HEATMAP,
            queries=[Query(total(rate(f"{_DURATION}_bucket", PROCESS), "le"), "{{le}}")],
        ),
        Panel(
            title="Retries",
            means="Repeated calls per second; callers see only those that fail at last.",
            do="Rising: trouble is coming. R2 throttles more than one write a second to one key.",
            unit=Unit.PER_SECOND,
            steps=rising(1, 10),
            queries=[Query(total(rate("mediafleet_storage_retries_total", PROCESS)), "retries")],
            runbooks=("StorageThrottled",),
        ),
        Panel(
            title="Bytes moved",
            means="Content read from and written to storage by gateways and workers.",
            do="Nothing. Direct uploads and downloads go past this.",
            unit=Unit.BYTES_PER_SECOND,
            queries=[Query(total(rate("mediafleet_storage_bytes_total", PROCESS), "direction"), "{{direction}}")],
        ),
        Panel(
            title="Circuits, by state",
            means="Processes by whether they ask the storage (closed), or found it away (open, probing).",
            do="open: the storage was away for that process within the last seconds.",
            unit=Unit.COUNT,
            queries=[Query(total(series("mediafleet_storage_circuit", PROCESS), "state"), "{{state}}")],
            stacked=True,
            runbooks=("StorageErrors",),
        ),
        Panel(
            title="Unfinished multiparts without a record",
            means="Found by the last search, and aborted when they are an hour old.",
            do="Growing: writers die, or another mediafleet shares this bucket, which must not be.",
            unit=Unit.COUNT,
            steps=rising(10, 100),
            queries=[Query(f"max({series('mediafleet_storage_orphans', FLEET)})", "multiparts")],
        ),
    ],
)

BOARD: Final = Board(
    "mediafleet-storage",
    "mediafleet / Storage and cost",
    "Whether the bucket answers, how full it is, and what it costs.",
    [_NOW, _ANSWERS, FULL],
)
