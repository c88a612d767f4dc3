"""The one timer for the heartbeats of all watchers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from mediafleet_core.events import Heartbeat, Message
from mediafleet_core.mailbox import Mailbox

PARTS = 100
"""Groups of watchers: one after the other is beaten for, so that none holds up events."""

SPREAD = 25
"""Groups into which those are dealt that come at once; so the first heartbeat comes after 0.75 to 1 intervals."""


class Heart:
    """Gives each mailbox one heartbeat in every interval."""

    def __init__(self, interval: timedelta) -> None:
        """Without mailboxes."""
        self._pause = interval.total_seconds() / PARTS
        self._parts: list[set[Mailbox]] = [set() for _ in range(PARTS)]
        self._latest = 0
        self._dealt = 0

    def join(self, box: Mailbox) -> set[Mailbox]:
        """It hears the heart from now on, for as long as it is in the group that this returns."""
        self._dealt = (self._dealt + 1) % SPREAD
        part = self._parts[self._latest - self._dealt]
        part.add(box)
        return part

    async def beat(self, message: Callable[[], Message[Heartbeat] | None]) -> None:
        """For ever; `message` makes the one for a whole group, or None while there is nothing to say."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            for index, part in enumerate(self._parts):
                self._latest = index
                if part and (beat := message()):
                    for box in part:
                        box.put_beat(beat)
                due = max(due + self._pause, loop.time())
                await asyncio.sleep(due - loop.time())
