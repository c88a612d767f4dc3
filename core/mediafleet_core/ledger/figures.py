"""Figures of the whole ledger and of the Redis under it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from redis.exceptions import ResponseError

from mediafleet_core.batches import BatchState
from mediafleet_core.ledger import records
from mediafleet_core.ledger.fleet import queue_figures
from mediafleet_core.ledger.reconciling import ReconcilingSteps
from mediafleet_core.media_types import MediaKind
from mediafleet_core.ports import Figures, ServerFigures
from mediafleet_core.uploads import State


class FiguresSteps(ReconcilingSteps):
    """See `ports.FiguresLedger`."""

    async def figures(self) -> Figures:
        """One script for what is counted, two commands each for the bucket's reconciliation and for the server."""
        reply = await self._connection.run("figures", kinds=list(MediaKind))
        *queues, states, batch_states, counters = reply.extra
        uploads, batches, usage = map(_fields, (states, batch_states, counters))
        return Figures(
            as_of=records.at(reply.detail),
            queues=[queue_figures(kind, row) for kind, row in zip(MediaKind, queues, strict=True)],
            uploads={state: int(uploads.get(state, 0)) for state in State},
            batches={state: int(batches.get(state, 0)) for state in BatchState},
            originals={kind: records.stored(usage, f"o:{kind}") for kind in MediaKind},
            renditions={kind: records.stored(usage, f"r:{kind}") for kind in MediaKind},
            reconciliation=await self.reconciliation(),
            server=await self._server(),
        )

    async def _server(self) -> ServerFigures:
        async with self._connection.guarded() as redis:
            told = await redis.info()
            try:
                fsync = (await redis.config_get("appendfsync")).get("appendfsync")
            except ResponseError:  # hosted servers forbid the command
                fsync = None
            database = int(redis.connection_pool.connection_kwargs.get("db") or 0)
        return _server_figures(told, database, None if fsync is None else fsync == "always")


def _fields(row: str) -> dict[str, str]:
    return msgspec.json.decode(row, type=dict[str, str])


def _server_figures(told: Mapping[str, Any], database: int, fsync_always: bool | None) -> ServerFigures:
    keys = {int(name[2:]): int(held["keys"]) for name, held in told.items() if name[:2] == "db" and name[2:].isdigit()}
    return ServerFigures(
        uptime_seconds=told["uptime_in_seconds"],
        memory_used=told["used_memory"],
        memory_max=told["maxmemory"],
        noeviction=told["maxmemory_policy"] == "noeviction",
        evicted_keys=told["evicted_keys"],
        clients=told["connected_clients"],
        commands=told["total_commands_processed"],
        keys={database: 0, **keys},
        aof=bool(told["aof_enabled"]),
        aof_write_ok=told["aof_last_write_status"] == "ok",
        rdb_save_ok=told["rdb_last_bgsave_status"] == "ok",
        fsync_always=fsync_always,
    )
