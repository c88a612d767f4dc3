"""Batches: uploads that are followed, cancelled, retried and reported together. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from mediafleet_core.identity import BatchId, TenantId
from mediafleet_core.progress import tellable
from mediafleet_core.uploads import TERMINAL, State, Upload

MOST_RUNNING = 20
"""Members at work that a batch names."""

_ALMOST = 99.9


class BatchState(StrEnum):
    """Where a batch stands; a retry leads from a terminal state back to SEALED."""

    OPEN = "OPEN"
    SEALED = "SEALED"
    SUCCEEDED = "SUCCEEDED"
    PARTIALLY_FAILED = "PARTIALLY_FAILED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def terminal(self) -> bool:
        """Whether it is sealed and every member has ended."""
        return self not in {BatchState.OPEN, BatchState.SEALED}


class BatchSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller said at creation; `expected_items` is what percent and ETA go by while fewer have joined."""

    display_name: str = ""
    collection: str = ""
    labels: dict[str, str] = {}
    expected_items: int | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one batch.

    `counts` has its members by state; deleted ones keep theirs. `bytes_done` of `bytes_total` (as far as declared) are
    received. `items_per_second` is how many members ended per second lately, 0 while nothing is known. `sequence`
    counts state changes (1 = created), `revision` every change of the record, progress excepted.
    """

    batch_id: BatchId
    tenant: TenantId
    spec: BatchSpec
    state: BatchState
    counts: Mapping[State, int]
    bytes_done: int = 0
    bytes_total: int = 0
    items_per_second: float = 0.0
    create_time: datetime
    seal_time: datetime | None = None
    finish_time: datetime | None = None
    revision: int
    sequence: int

    @property
    def total(self) -> int:
        """Members in all."""
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        """Members in a terminal state."""
        return sum(count for state, count in self.counts.items() if state in TERMINAL)

    @property
    def awaited(self) -> int:
        """Members that there are or, while more may join, will be."""
        announced = self.spec.expected_items or 0
        return max(self.total, announced) if self.state is BatchState.OPEN else self.total

    @property
    def percent(self) -> float:
        """Members that have ended, of those awaited: 100 in every terminal state, and only there."""
        if self.state.terminal:
            return 100.0
        return min(_ALMOST, 100.0 * self.ended / self.awaited) if self.awaited else 0.0

    @property
    def eta_seconds(self) -> float | None:
        """Time until the last member ends, if they go on ending as lately; None where that cannot be told."""
        announced = self.state is BatchState.SEALED or bool(self.spec.expected_items)
        left = self.awaited - self.ended
        return tellable(left / self.items_per_second) if announced and left and self.items_per_second else None


class BatchChange(NamedTuple):
    """One change of a batch's state; `previous` is None for its creation."""

    sequence: int
    previous: BatchState | None
    state: BatchState
    time: datetime


class BatchView(NamedTuple):
    """A batch as it was at one moment: its own state changes, oldest first, and members at work, longest first.

    `epoch` names the life of the ledger that counts these changes.
    """

    epoch: str
    batch: Batch
    changes: tuple[BatchChange, ...]
    running: tuple[Upload, ...]


class Member(NamedTuple):
    """A member's row in a report; a deleted one as it was last."""

    upload: Upload
    deleted: bool
