"""How full the bucket is, and what it costs."""

from __future__ import annotations

from typing import Final

from deploy.grafana.model import (
    Colour,
    Panel,
    Query,
    Row,
    Unit,
    none_is_good,
    rising,
)
from deploy.grafana.promql import FLEET, PROCESS, age, rate, series, total

_BILLABLE: Final = "mediafleet_storage_billable_operations_total"
BYTES_USED: Final = f"sum({series('mediafleet_usage_bytes', FLEET)})"
_MONTH: Final = 30 * 24 * 3600
_GIGABYTE_MONTH, _CLASS_A, _CLASS_B = 0.015, 4.5e-6, 0.36e-6
"""R2's standard list prices in dollars, of 2026; free allowances are left out."""


def _monthly(price_class: str, price: float) -> str:
    paid = rate(_BILLABLE, PROCESS, f'class="{price_class}"', window="1d")
    return f"sum({paid}) * {_MONTH} * {price:g}"


MONTHLY_COST: Final = f"{BYTES_USED} / 1e9 * {_GIGABYTE_MONTH} + {_monthly('A', _CLASS_A)} + {_monthly('B', _CLASS_B)}"

FULL: Final = Row(
    "How full, and what it costs",
    [
        Panel(
            title="Bytes, by kind",
            means="What is stored, by kind of media.",
            do="For forecasts; `mediafleet usage` tells it by tenant and collection.",
            unit=Unit.BYTES,
            queries=[Query(f"sum by (kind) ({series('mediafleet_usage_bytes', FLEET)})", "{{kind}}")],
            stacked=True,
        ),
        Panel(
            title="Objects, by kind",
            means="Stored objects, originals and renditions.",
            do="Many small ones cost operations more than bytes.",
            unit=Unit.COUNT,
            queries=[Query(f"sum by (kind) ({series('mediafleet_usage_objects', FLEET)})", "{{kind}}")],
            stacked=True,
        ),
        Panel(
            title="Billed operations, by class",
            means="Operations per second that R2 bills: class A writes and lists, class B reads.",
            do="A million of class A costs $4.50, of class B $0.36. A sudden rise: a client that polls or lists.",
            unit=Unit.PER_SECOND,
            queries=[Query(total(rate(_BILLABLE, PROCESS), "class"), "class {{class}}")],
        ),
        Panel(
            title="Time since the last reconciliation",
            means="When the counters were last compared with a listing of the bucket.",
            do="Over a day: the listing fails. See the log; `mediafleet usage --bucket --refresh` tries again.",
            unit=Unit.SECONDS,
            steps=rising(26 * 3600, 50 * 3600),
            queries=[Query(f"max({age(series('mediafleet_reconcile_last_success_timestamp_seconds', FLEET))})", "age")],
            width=12,
            runbooks=("ReconcileStale",),
        ),
        Panel(
            title="Difference found, over time",
            means="Bytes by which listings differed from the counters.",
            do="A step that stays: find the objects without a record (docs/redis.md). A slope: a writer of its own.",
            unit=Unit.BYTES,
            steps=none_is_good(Colour.WARNING),
            queries=[Query(f"max(abs({series('mediafleet_usage_drift_bytes', FLEET)}))", "drift")],
            width=12,
            runbooks=("UsageDrift",),
        ),
    ],
)
