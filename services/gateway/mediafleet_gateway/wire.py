"""Messages to watchers as they travel: each is serialized once, for all watchers of this process."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from weakref import WeakKeyDictionary

from mediafleet_core.batch_watching import BatchMessage
from mediafleet_core.errors import MediafleetError
from mediafleet_core.events import Message, StateChanged, WatchEvent
from mediafleet_core.identity import BatchId
from mediafleet_core.ports import Ledger
from mediafleet_core.uploads import Upload
from mediafleet_gateway.convert import event_to_proto
from mediafleet_gateway.convert_batches import batch_event_to_proto


class BatchWire:
    """The same for batches."""

    def __init__(self, heartbeat: timedelta) -> None:
        """`heartbeat` is the time between two of them, which each tells."""
        self._heartbeat = heartbeat
        self._made: WeakKeyDictionary[BatchMessage, bytes] = WeakKeyDictionary()

    def of(self, message: BatchMessage, batch_id: BatchId) -> bytes:
        """The same bytes for everyone who is told the same."""
        made = self._made.get(message)
        if made is None:
            made = batch_event_to_proto(message, batch_id, self._heartbeat).SerializeToString()
            self._made[message] = made
        return made


class Wire:
    """What was made of a message is kept for as long as some watcher still has to send it."""

    def __init__(self, ledger: Ledger, heartbeat: timedelta) -> None:
        """`heartbeat` is the time between two of them, which each tells."""
        self._ledger = ledger
        self._heartbeat = heartbeat
        self._made: WeakKeyDictionary[Message[WatchEvent], bytes | asyncio.Task[bytes]] = WeakKeyDictionary()

    async def of(self, message: Message[WatchEvent]) -> bytes:
        """The same bytes for everyone; the record behind a terminal change is read once for all of them."""
        made = self._made.get(message)
        if made is None:
            event = message.event
            if isinstance(event, StateChanged) and event.state.terminal:
                made = asyncio.create_task(self._with_record(message, event))
            else:
                made = event_to_proto(message, self._heartbeat).SerializeToString()
            self._made[message] = made
        # A watcher that leaves must not take the answer away from the others.
        return made if isinstance(made, bytes) else await asyncio.shield(made)

    async def _with_record(self, message: Message[WatchEvent], event: StateChanged) -> bytes:
        return event_to_proto(message, self._heartbeat, await self._record(event)).SerializeToString()

    async def _record(self, event: StateChanged) -> Upload | None:
        """The record behind a terminal change, unless it went on since."""
        try:
            upload = await self._ledger.get(event.upload_id, event.tenant)
        except MediafleetError:
            return None
        return upload if upload.sequence == event.sequence else None
