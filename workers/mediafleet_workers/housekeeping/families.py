"""The fleet's figures as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from mediafleet_core.batches import BatchState
from mediafleet_core.ports import Figures, ServerFigures
from mediafleet_core.uploads import State
from mediafleet_core.usage import ReconciliationStatus

_Rows = Mapping[tuple[str, ...], float]


def redis_up(up: bool) -> Metric:
    """Whether the ledger's Redis answers."""
    return _gauge("mediafleet_redis_up", "1 if the ledger's Redis answers.", (), {(): up})


def last_success(timestamp: float) -> Metric:
    """When the figures were read, in seconds since 1970; 0 for never."""
    name = "mediafleet_queue_exporter_last_success_timestamp_seconds"
    return _gauge(name, "When the figures of queues, uploads, usage and Redis were last read.", (), {(): timestamp})


def of(figures: Figures) -> Iterator[Metric]:
    """Everything else."""
    yield from _queues(figures)
    yield _gauge("mediafleet_uploads", "Uploads by state.", ("state",), _by_name(figures.uploads))
    yield _gauge("mediafleet_batches", "Batches by state.", ("state",), _by_name(figures.batches))
    stored = [
        ((kind, what), amount)
        for what, amounts in (("original", figures.originals), ("rendition", figures.renditions))
        for kind, amount in amounts.items()
    ]
    labels = ("kind", "object")
    yield _gauge("mediafleet_usage_bytes", "Bytes stored.", labels, {key: amount.size for key, amount in stored})
    yield _gauge("mediafleet_usage_objects", "Objects stored.", labels, {key: amount.objects for key, amount in stored})
    yield from _reconciliation(figures.reconciliation)
    yield from _server(figures.server)


def _queues(figures: Figures) -> Iterator[Metric]:
    messages: dict[tuple[str, ...], float] = {}
    oldest: dict[tuple[str, ...], float] = {}
    paused: dict[tuple[str, ...], float] = {}
    for queue in figures.queues:
        name = queue.kind.lower()
        states = {"waiting": queue.waiting, "claimed": queue.running, "delayed": queue.delayed, "dead": queue.dead}
        messages |= {(name, state): count for state, count in states.items()}
        oldest[(name,)] = (figures.as_of - queue.oldest_age if queue.oldest_age else figures.as_of).timestamp()
        paused[(name,)] = queue.pause is not None
    yield _gauge("mediafleet_queue_messages", "Uploads in a queue, by state.", ("queue", "state"), messages)
    yield _gauge(
        "mediafleet_queue_oldest_enqueued_timestamp_seconds",
        "Since when the oldest waiting upload has been due; the time of reading where none waits.",
        ("queue",),
        oldest,
    )
    yield _gauge("mediafleet_queue_paused", "1 while a queue is paused.", ("queue",), paused)


def _reconciliation(known: ReconciliationStatus) -> Iterator[Metric]:
    latest, progress = known
    gauges: Mapping[str, tuple[str, float]] = {
        "reconcile_last_success_timestamp_seconds": (
            "When usage was last reconciled with the bucket; 0 for never.",
            latest.time.timestamp() if latest else 0,
        ),
        "reconcile_listed_objects": (
            "Objects listed so far by the reconciliation that is under way; 0 while there is none.",
            progress.listed if progress else 0,
        ),
        "usage_drift_bytes": (
            "Bytes that the bucket had more than the counters of usage when they were last reconciled.",
            latest.drift.size if latest else 0,
        ),
        "usage_drift_objects": (
            "Objects that the bucket had more than the counters of usage when they were last reconciled.",
            latest.drift.objects if latest else 0,
        ),
    }
    for name, (text, value) in gauges.items():
        yield _gauge(f"mediafleet_{name}", text, (), {(): value})


def _server(server: ServerFigures) -> Iterator[Metric]:
    gauges: Mapping[str, tuple[str, float | None]] = {
        "uptime_seconds": ("Time since Redis started.", server.uptime_seconds),
        "memory_used_bytes": ("Memory that Redis uses.", server.memory_used),
        "memory_max_bytes": ("Memory that Redis may use; 0 without a limit.", server.memory_max),
        "noeviction": ("1 if Redis refuses writes rather than drop keys when it is full.", server.noeviction),
        "connected_clients": ("Connections to Redis.", server.clients),
        "aof_enabled": ("1 if Redis keeps an append-only file.", server.aof),
        "aof_last_write_ok": ("1 if Redis' last write to it succeeded.", server.aof_write_ok),
        "aof_fsync_always": ("1 if each write is synced; absent where Redis does not tell.", server.fsync_always),
        "rdb_last_save_ok": ("1 if Redis' last snapshot to disk succeeded.", server.rdb_save_ok),
    }
    for name, (text, value) in gauges.items():
        yield _gauge(f"mediafleet_redis_{name}", text, (), {} if value is None else {(): value})
    keys: _Rows = {(str(database),): count for database, count in server.keys.items()}
    yield _gauge("mediafleet_redis_keys", "Keys in Redis, by database.", ("db",), keys)
    yield CounterMetricFamily(
        "mediafleet_redis_evicted_keys", "Keys that Redis dropped to make room.", value=server.evicted_keys
    )
    yield CounterMetricFamily("mediafleet_redis_commands", "Commands that Redis carried out.", value=server.commands)


def _by_name(counts: Mapping[State, int] | Mapping[BatchState, int]) -> _Rows:
    return {(name,): count for name, count in counts.items()}


def _gauge(name: str, text: str, labels: Sequence[str], rows: _Rows) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in rows.items():
        family.add_metric(values, value)
    return family
