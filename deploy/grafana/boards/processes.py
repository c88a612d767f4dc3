"""What any process tells of itself."""

from __future__ import annotations

from deploy.grafana.model import Panel, Query, Row, Unit, rising
from deploy.grafana.promql import PROCESS, quantile, rate, series


def process_row(which: str, *, loop: bool) -> Row:
    """CPU and memory of the processes that a matcher names, and for gateways the lag of their event loop."""
    cpu = Panel(
        title="CPU",
        means="Cores that each process uses.",
        do="A gateway near 1 is at its end: more gateways. A worker near its limit is at work.",
        unit=Unit.COUNT,
        decimals=2,
        queries=[Query(rate("process_cpu_seconds_total", PROCESS, which), "{{pod}}")],
        width=8 if loop else 12,
    )
    memory = Panel(
        title="Memory",
        means="Resident memory of each process, without the children that decode.",
        do="A line that only grows: restart that pod, keep its figures, and report it.",
        unit=Unit.BYTES,
        queries=[Query(series("process_resident_memory_bytes", PROCESS, which), "{{pod}}")],
        width=8 if loop else 12,
    )
    lag = Panel(
        title="Event loop lag, p99",
        means="How much later than asked for a gateway's loop wakes: what every call there waits at least.",
        do="Over 100 ms: that gateway has too much to do, or something blocks it. More gateways; a CPU limit to lift.",
        unit=Unit.SECONDS,
        steps=rising(0.1, 0.5),
        queries=[Query(quantile(0.99, "mediafleet_event_loop_lag_seconds", PROCESS, by=("pod",)), "{{pod}}")],
    )
    return Row("Processes", [lag, cpu, memory] if loop else [cpu, memory])
