"""The event log: one stream of state changes, and the channel of progress."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import msgspec

from mediafleet_core.events import Cursor, LogEntry, ProgressMade
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.ledger import records
from mediafleet_core.ledger.base import LedgerBase
from mediafleet_core.ledger.refusals import check
from mediafleet_core.ports import History

BLOCK_MS = 2_000
"""How long one blocking read waits; shorter than the socket's time-out."""


class EventSteps(LedgerBase):
    """Reading the event log; see `ports.EventLog` for what each read promises."""

    async def position(self) -> Cursor:
        """The place of the newest entry."""
        async with self._connection.guarded() as redis:
            if not await redis.exists(self._events):
                return Cursor(self._epoch, 0, 0)
            info = await redis.xinfo_stream(self._events)
        return Cursor.of(self._epoch, info["last-generated-id"])

    async def holds(self, cursor: Cursor) -> bool:
        """Whether the log has this place."""
        if cursor.epoch != self._epoch:
            return False
        async with self._connection.guarded() as redis:
            rows = await redis.xrange(self._events, min=cursor.stream_id, max=cursor.stream_id)
        return bool(rows) or cursor == await self.position()

    async def history(self, upload_id: UploadId, tenant: TenantId | None = None) -> History:
        """The record with its own state changes."""
        reply = check(await self._connection.run("history", id=upload_id, tenant=tenant), upload_id)
        entries = []
        for row in reply.extra:
            stream_id, _, flat = row.partition(" ")
            fields = records.pairs(msgspec.json.decode(flat, type=list[str]))
            entries.append((Cursor.of(self._epoch, stream_id), records.log_entry(fields)))
        return History(self._upload(reply), tuple(entries))

    async def read(self, after: Cursor, *, limit: int) -> Sequence[tuple[Cursor, LogEntry]]:
        """Entries after a place, at once."""
        async with self._connection.guarded() as redis:
            rows = await redis.xrange(self._events, min=f"({after.stream_id}", count=limit)
        return [(Cursor.of(self._epoch, stream_id), records.log_entry(fields)) for stream_id, fields in rows]

    async def tail(self, after: Cursor) -> AsyncGenerator[tuple[Cursor, LogEntry], None]:
        """Entries after a place as they come."""
        place = after.stream_id
        while True:
            async with self._connection.guarded(listening=True) as redis:
                answer = await redis.xread({self._events: place}, count=500, block=BLOCK_MS)
            for _, rows in answer:
                for stream_id, fields in rows:
                    place = stream_id
                    yield Cursor.of(self._epoch, stream_id), records.log_entry(fields)

    async def progress(self) -> AsyncIterator[ProgressMade]:
        """Progress of every upload as it is reported."""
        async with self._connection.guarded() as redis, redis.pubsub(ignore_subscribe_messages=True) as channel:
            # Guarded one by one, as a cancellation may get lost in each.
            async with self._connection.guarded():
                await channel.subscribe(self._connection.key("progress"))
            while True:
                async with self._connection.guarded():
                    message = await channel.get_message(timeout=BLOCK_MS / 1000)
                if message is not None:
                    yield records.progress_made(message["data"])

    @property
    def _events(self) -> str:
        return self._connection.key("events")
