"""The ledger of what a tenant's people should hear of."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from mediafleet_core.batches import BatchState
from mediafleet_core.identity import TenantId
from mediafleet_core.uploads import State

NOTICES_KEPT = 1_000
"""Of each tenant; older ones are forgotten."""


class UploadNotice(NamedTuple):
    """An upload outside of any batch failed or expired; `code` is that of its failure."""

    upload_id: str
    state: State
    code: str


class BatchNotice(NamedTuple):
    """A batch ended, with its members by their terminal states."""

    batch_id: str
    state: BatchState
    counts: Mapping[State, int]


class Notice(NamedTuple):
    """One piece of news: its number rises within the tenant, from 1."""

    number: int
    time: datetime
    display_name: str
    subject: UploadNotice | BatchNotice
    read: bool


class NoticePage(NamedTuple):
    """Notices, newest first; `next_before` continues, 0 at the end; `unread` counts all that are not read."""

    notices: tuple[Notice, ...]
    next_before: int
    unread: int


class NoticeLedger(Protocol):
    """Notices are written in the steps that make the states which they tell of."""

    async def notices(self, tenant: TenantId, *, limit: int, before: int = 0, only_unread: bool = False) -> NoticePage:
        """A page of those with a number below `before`, if given."""

    async def mark_read(self, tenant: TenantId, *, numbers: Collection[int] = (), through: int = 0) -> int:
        """These are read, and all up to `through`; returns how many are not."""
