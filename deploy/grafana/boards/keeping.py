"""Whether Redis keeps what it acknowledges."""

from __future__ import annotations

from typing import Final

from deploy.grafana.model import (
    Panel,
    Query,
    Row,
    Unit,
    all_is_good,
    none_is_good,
)
from deploy.grafana.promql import FLEET, PROCESS, WINDOW, series


def now(metric: str) -> str:
    """What Redis says of itself."""
    return f"max({series(f'mediafleet_redis_{metric}', FLEET)})"


KEPT: Final = Row(
    "Does it keep what it acknowledges?",
    [
        Panel(
            title="Memory",
            means="Memory in use, and the limit if there is one.",
            do="A steady slope: history that is kept for ever; see the guide to history.",
            unit=Unit.BYTES,
            queries=[Query(now("memory_used_bytes"), "used"), Query(now("memory_max_bytes"), "limit")],
            width=6,
            runbooks=("RedisMemoryHigh",),
        ),
        Panel(
            title="Keys thrown out",
            means="Keys that Redis evicted because it was full. Each may be a record.",
            do="Anything but 0: set noeviction, give memory, and read the runbook for what was lost.",
            unit=Unit.PER_SECOND,
            steps=none_is_good(),
            queries=[Query(f"max(rate({series('mediafleet_redis_evicted_keys_total', FLEET)}[{WINDOW}]))", "evicted")],
            width=6,
            runbooks=("RedisEvictions",),
        ),
        Panel(
            title="Persistence",
            means="1 while the log, its last write and the last snapshot are well.",
            do="0: a full or broken disk; Redis refuses writes until it is mended.",
            unit=Unit.COUNT,
            steps=all_is_good(),
            queries=[
                Query(now("aof_enabled"), "log on"),
                Query(now("aof_last_write_ok"), "log written"),
                Query(now("rdb_last_save_ok"), "snapshot"),
            ],
            most=1,
            width=6,
            runbooks=("RedisPersistenceFailing",),
        ),
        Panel(
            title="Forgotten writes noticed",
            means="Processes that noticed in the last hour that Redis lacks what it had acknowledged to them.",
            do="Anything but 0: a failover or a restored copy. docs/redis.md says what follows.",
            unit=Unit.COUNT,
            steps=none_is_good(),
            queries=[Query(f"sum(increase({series('mediafleet_ledger_lost_writes_total', PROCESS)}[1h]))", "noticed")],
            width=6,
            runbooks=("LedgerLostWrites",),
        ),
    ],
)
