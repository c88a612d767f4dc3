"""The ledger for whoever watches the whole: figures that cost the same however many records there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from mediafleet_core.batches import BatchState
from mediafleet_core.fleet import QueueFigures
from mediafleet_core.media_types import MediaKind
from mediafleet_core.uploads import State
from mediafleet_core.usage import ReconciliationStatus, Stored


class ServerFigures(NamedTuple):
    """What the server under the ledger tells of itself.

    Memory in bytes; `memory_max` is 0 without a limit. `keys` are counted by database. `fsync_always` is None where the
    server does not tell.
    """

    uptime_seconds: int
    memory_used: int
    memory_max: int
    noeviction: bool
    evicted_keys: int
    clients: int
    commands: int
    keys: Mapping[int, int]
    aof: bool
    aof_write_ok: bool
    rdb_save_ok: bool
    fsync_always: bool | None


class Figures(NamedTuple):
    """All tenants together, at one moment of the ledger's clock; uploads and batches by state, stored by kind.

    What is known of the bucket and of the server is read right after it.
    """

    as_of: datetime
    queues: Sequence[QueueFigures]
    uploads: Mapping[State, int]
    batches: Mapping[BatchState, int]
    originals: Mapping[MediaKind, Stored]
    renditions: Mapping[MediaKind, Stored]
    reconciliation: ReconciliationStatus
    server: ServerFigures


class FiguresLedger(Protocol):
    """The ledger and its server as numbers."""

    async def figures(self) -> Figures:
        """The figures of now; every queue, state and kind is among them, also where nothing is."""
