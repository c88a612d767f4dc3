"""Redis: whether the ledger answers, keeps what it acknowledges, and has room."""

from __future__ import annotations

from typing import Final

from deploy.grafana.boards.common import STEP, STEP_STEPS, slowest, slowest_columns
from deploy.grafana.boards.keeping import KEPT, now
from deploy.grafana.model import (
    Board,
    Panel,
    Query,
    Row,
    Shape,
    Unit,
    all_is_good,
    rising,
)
from deploy.grafana.promql import FLEET, PROCESS, WINDOW, quantile, rate, series, total


def _room() -> str:
    used, limit = now("memory_used_bytes"), now("memory_max_bytes")
    return f"{used} / ({limit} > 0) or 0 * {used}"


_NOW: Final = Row(
    "Now",
    [
        Panel(
            title="Answers",
            means="Whether the housekeeper reaches Redis.",
            do="No: is the pod up, the network open, the log being loaded after a restart? Nothing is lost by waiting.",
            unit=Unit.COUNT,
            shape=Shape.STAT,
            steps=all_is_good(),
            words={0: "no", 1: "yes"},
            queries=[Query(f"{now('up')} or vector(0)", "up")],
            width=4,
            height=4,
            runbooks=("RedisDown",),
        ),
        Panel(
            title="Memory of its limit",
            means="Share of maxmemory that is used; 0 where there is no limit.",
            do="Over 80 %: give it more, or keep less history. At the limit it refuses every write.",
            unit=Unit.SHARE,
            shape=Shape.STAT,
            steps=rising(0.7, 0.85),
            queries=[Query(_room(), "used")],
            width=4,
            height=4,
            runbooks=("RedisMemoryHigh",),
        ),
        Panel(
            title="Refuses rather than forgets",
            means="Whether maxmemory-policy is noeviction. With any other Redis drops records when it is full.",
            do="No: set it now: `CONFIG SET maxmemory-policy noeviction`, and in the configuration.",
            unit=Unit.COUNT,
            shape=Shape.STAT,
            steps=all_is_good(),
            words={0: "no", 1: "yes"},
            queries=[Query(now("noeviction"), "noeviction")],
            width=4,
            height=4,
            runbooks=("RedisEvictions",),
        ),
        Panel(
            title="Log is written",
            means="Whether the append-only file is on and its last write went well.",
            do="No: what is acknowledged now may be lost. A full or broken disk? See the runbook.",
            unit=Unit.COUNT,
            shape=Shape.STAT,
            steps=all_is_good(),
            words={0: "no", 1: "yes"},
            queries=[Query(f"{now('aof_enabled')} * {now('aof_last_write_ok')}", "log")],
            width=4,
            height=4,
            runbooks=("RedisPersistenceFailing",),
        ),
        Panel(
            title="Each write is synced",
            means="Whether appendfsync is always. With everysec a power loss forgets the last second.",
            do="No is a choice, and docs/redis.md says what it costs.",
            unit=Unit.COUNT,
            shape=Shape.STAT,
            steps=all_is_good(),
            words={0: "no", 1: "yes"},
            queries=[Query(now("aof_fsync_always"), "always")],
            width=4,
            height=4,
            runbooks=("RedisPersistenceFailing",),
        ),
        Panel(
            title="Up for",
            means="Time since Redis started.",
            do="Shorter than you expect: it was restarted. Look whether writes were lost, below.",
            unit=Unit.SECONDS,
            shape=Shape.STAT,
            queries=[Query(now("uptime_seconds"), "up for")],
            width=4,
            height=4,
        ),
    ],
)

_LOAD: Final = Row(
    "Speed and load",
    [
        Panel(
            title="Time of steps",
            means="Time that half, nine tenths and all but a hundredth of the steps take which processes ask of Redis.",
            do="All up: the disk (each step is synced), the CPU or the network. p99 alone: see which steps, beside.",
            unit=Unit.SECONDS,
            steps=STEP_STEPS,
            queries=[Query(quantile(q, STEP, PROCESS), f"p{q * 100:g}") for q in (0.5, 0.9, 0.99)],
        ),
        Panel(
            title="Slowest steps",
            means="The ten steps whose slowest hundredth takes longest, and how often they are asked for.",
            do="One step far above the others touches much, such as the cancel of a large batch.",
            unit=Unit.SECONDS,
            shape=Shape.TABLE,
            queries=slowest(STEP, "operation"),
            columns=slowest_columns(STEP_STEPS),
            largest_first=True,
        ),
        Panel(
            title="Times of steps",
            means="How many steps took how long: the brighter, the more.",
            do="A band at the sync of the disk is normal; one far above is a disk that stalls.",
            unit=Unit.SECONDS,
            shape=Shape.HEATMAP,
            queries=[Query(total(rate(f"{STEP}_bucket", PROCESS), "le"), "{{le}}")],
        ),
        Panel(
            title="Steps and commands",
            means="Steps per second that processes ask for, and commands that Redis does for them: a step is many.",
            do="Near 100,000 commands Redis' one core is at its end.",
            unit=Unit.PER_SECOND,
            queries=[
                Query(f"max(rate({series('mediafleet_redis_commands_total', FLEET)}[{WINDOW}]))", "commands"),
                Query(total(rate(f"{STEP}_count", PROCESS)), "steps"),
            ],
        ),
        Panel(
            title="Connections",
            means="Clients that are connected.",
            do="Each process has a few. A steep rise: something reconnects over and over.",
            unit=Unit.COUNT,
            steps=rising(5_000, 9_000),
            queries=[Query(now("connected_clients"), "clients")],
        ),
        Panel(
            title="Keys, by database",
            means="Keys in the ledger's database and in that of the queue's messages.",
            do="About eight for each upload that is kept; see the guide to history for keeping fewer.",
            unit=Unit.COUNT,
            queries=[Query(f"max by (db) ({series('mediafleet_redis_keys', FLEET)})", "database {{db}}")],
        ),
    ],
)

BOARD: Final = Board(
    "mediafleet-redis",
    "mediafleet / Redis",
    "Whether the ledger answers, keeps what it acknowledges, and has room.",
    [_NOW, _LOAD, KEPT],
)
