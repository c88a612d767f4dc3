"""The parts of a fleet at a glance, on the board Overview."""

from __future__ import annotations

from typing import Final

from deploy.grafana.model import (
    PLAIN,
    Colour,
    Column,
    Panel,
    Query,
    Shape,
    Unit,
    all_is_good,
    none_is_good,
    rising,
)
from deploy.grafana.promql import FLEET, PROCESS, age, series, total

_YES_NO: Final = {0: "no", 1: "yes"}
_UP: Final = series("up", PROCESS)

PARTS: Final = (
    Panel(
        title="Processes",
        means="Pods that Prometheus reaches, and that it does not, by job.",
        do="Anything down for minutes: look at that pod's events and log. All of one job: its last rollout.",
        unit=Unit.COUNT,
        shape=Shape.TABLE,
        queries=[
            Query(f"sum by (job) ({_UP})", "Up"),
            Query(f"count by (job) ({_UP}) - sum by (job) ({_UP})", "Down"),
        ],
        columns={"Up": Column(Unit.COUNT, PLAIN), "Down": Column(Unit.COUNT, none_is_good())},
        width=8,
        height=7,
        runbooks=("GatewayDown", "WorkersDown"),
        opens="mediafleet-rollout",
    ),
    Panel(
        title="Versions",
        means="Which versions run, and in how many processes.",
        do="Two versions of one part are normal while a rollout lasts, and a question after it. Open Rollout.",
        unit=Unit.COUNT,
        shape=Shape.TABLE,
        queries=[Query(f"count by (component, version) ({series('mediafleet_build_info', PROCESS)})", "Processes")],
        columns={"Processes": Column(Unit.COUNT, PLAIN)},
        width=8,
        height=7,
        runbooks=("VersionSkew",),
        opens="mediafleet-rollout",
    ),
    Panel(
        title="Redis answers",
        means="Whether the housekeeper reaches Redis, which holds every record. Without it nothing goes on.",
        do="No: every call fails until it is back; nothing that was acknowledged is lost. Open Redis.",
        unit=Unit.COUNT,
        shape=Shape.STAT,
        steps=all_is_good(),
        words=_YES_NO,
        queries=[Query(f"max({series('mediafleet_redis_up', FLEET)}) or vector(0)", "redis")],
        width=6,
        height=4,
        opens="mediafleet-redis",
        runbooks=("RedisDown",),
    ),
    Panel(
        title="Circuits to storage that are open",
        means="Processes that found storage away and ask it again only now and then.",
        do="One: that pod's network. All: the storage. Callers are told UNAVAILABLE. Open Storage and cost.",
        unit=Unit.COUNT,
        shape=Shape.STAT,
        steps=none_is_good(),
        queries=[Query(total(series("mediafleet_storage_circuit", PROCESS, 'state!="closed"')), "open")],
        width=6,
        height=4,
        opens="mediafleet-storage",
        runbooks=("StorageErrors",),
    ),
    Panel(
        title="Housekeeper",
        means="Processes that lead the housekeeping: one at a time does.",
        do="None for a minute: no worker reaches Redis. Lost jobs are not found and this page grows stale.",
        unit=Unit.COUNT,
        shape=Shape.STAT,
        steps=all_is_good(Colour.WARNING),
        queries=[Query(f"sum({series('mediafleet_housekeeping_leader', PROCESS)})", "leading")],
        width=6,
        height=4,
        opens="mediafleet-queues",
        runbooks=("QueueExporterStale",),
    ),
    Panel(
        title="Figures of the queues are so old",
        means="Age of the state that the housekeeper exports: queues, uploads, usage, Redis.",
        do="Over a minute: do not trust figures of queues on any board; find out why nobody keeps house.",
        unit=Unit.SECONDS,
        shape=Shape.STAT,
        steps=rising(30, 120),
        queries=[
            Query(f"max({age(series('mediafleet_queue_exporter_last_success_timestamp_seconds', FLEET))})", "age")
        ],
        width=6,
        height=4,
        opens="mediafleet-queues",
        runbooks=("QueueExporterStale",),
    ),
)
