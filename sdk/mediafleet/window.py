"""How much may be under way."""

from __future__ import annotations

PART = 8 * 1024 * 1024
"""Bytes of a part of most files; a gateway stores nothing smaller before the stream ends."""

MOST = 4 * PART
"""Bytes; a gateway has no more parts under way than one that fills and three that are stored."""

SLOW = 1.0
"""Seconds for which a part may hold up the next one."""


class Window:
    """Bytes that may be sent before they are durable, and so must be sent again if the gateway is lost.

    One part, as long as storage is quick to take one; more while it is slow, so that they overlap.
    """

    def __init__(self) -> None:
        self.size = PART

    def stalled(self, seconds: float) -> None:
        """The window has been full for so long, and nothing became durable."""
        if seconds > SLOW * self.size / PART:
            self.size = min(self.size + PART, MOST)

    def waited(self, seconds: float) -> None:
        """The window was full for so long before a part became durable."""
        if seconds > SLOW:
            self.size = min(self.size + PART, MOST)
        elif seconds < SLOW / 4:
            self.size = max(self.size - PART, PART)

    def shut(self) -> None:
        """A gateway was lost: the next one may be, too."""
        self.size = PART
