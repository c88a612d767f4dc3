"""The watchers of one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from types import TracebackType
from typing import Self

from mediafleet_core.events import Cursor, Message, WatchEvent
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.ports import UploadFilter
from mediafleet_core.watching import many, one
from mediafleet_core.watching.heart import Heart
from mediafleet_core.watching.reader import Reader, WatchedLedger

HEARTBEAT = timedelta(seconds=15)
"""Time between two heartbeats of a watch."""

_CANCEL_AGAIN = 0.1
"""Seconds after which a reader that goes on is cancelled once more."""


class Watching:
    """The one reader that serves all watchers, the one timer of their heartbeats, and the two kinds of watches."""

    def __init__(
        self, ledger: WatchedLedger, *, heartbeat: timedelta = HEARTBEAT, most_replayed: int = many.MOST_REPLAYED
    ) -> None:
        """An async context manager: the reader runs inside it."""
        self._reader = Reader(ledger, Heart(heartbeat))
        self._most_replayed = most_replayed
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Ready for watchers."""
        self._tasks = [asyncio.create_task(work) for work in self._reader.work()]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop reading; watchers get nothing more."""
        left = set(self._tasks)
        while left:
            for task in left:
                task.cancel()
            # redis-py loses a cancellation now and then (see Connection.guarded), and then waits for what comes.
            _, left = await asyncio.wait(left, timeout=_CANCEL_AGAIN)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def watchers(self) -> int:
        """How many watches are open."""
        return self._reader.watchers

    def watch(
        self, upload_id: UploadId, tenant: TenantId, *, after: Cursor | None = None, min_interval: timedelta
    ) -> AsyncGenerator[Message[WatchEvent], None]:
        """Follow one upload until its terminal state or its deletion, which is the last message.

        `after` resumes without loss or repeats; a cursor that cannot do so gives a snapshot. Raises UPLOAD_NOT_FOUND.
        """
        return one.follow(self._reader, upload_id, tenant, after, min_interval)

    def watch_many(
        self, tenant: TenantId | None, which: UploadFilter, *, after: Cursor | None = None, min_interval: timedelta
    ) -> AsyncGenerator[Message[WatchEvent], None]:
        """Follow every upload of the tenant (None: of all tenants) that the filter covers, until the watcher leaves.

        Without a usable `after`: a snapshot of each, without cursors, ended by the first heartbeat. Collection, batch
        and kinds say which uploads belong; states and failure codes say which of their changes are told.
        """
        return many.follow(self._reader, tenant, which, after, min_interval, self._most_replayed)
