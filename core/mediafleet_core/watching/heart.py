"""The one timer for the heartbeats of all watchers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from mediafleet_core.events import Heartbeat, Message
from mediafleet_core.mailbox import Mailbox

PARTS = 100
"""Groups into which the watchers are dealt: one after the other is beaten for, so that none holds up events."""


class Heart:
    """Gives each mailbox one heartbeat in every interval, the first one within it."""

    def __init__(self, interval: timedelta) -> None:
        """Without mailboxes."""
        self._pause = interval.total_seconds() / PARTS
        self._parts: list[set[Mailbox]] = [set() for _ in range(PARTS)]
        self._next = 0

    def join(self, box: Mailbox) -> set[Mailbox]:
        """It hears the heart from now on, for as long as it is in the group that this returns."""
        part = self._parts[self._next]
        self._next = (self._next + 1) % PARTS
        part.add(box)
        return part

    async def beat(self, message: Callable[[], Message[Heartbeat] | None]) -> None:
        """For ever; `message` makes the one for a whole part, or None while there is nothing to say."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            for part in self._parts:
                due = max(due + self._pause, loop.time())
                await asyncio.sleep(due - loop.time())
                if part and (beat := message()):
                    for box in part:
                        box.put_beat(beat)
