"""Notices a Redis that has forgotten what it acknowledged: after a power loss, a failover, a restored copy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

import structlog
from prometheus_client import Counter

_log = structlog.get_logger(__name__)

LOST_WRITES = Counter(
    "mediafleet_ledger_lost_writes",
    "Times that Redis came back without a step that it had acknowledged to this process.",
)

Ask: TypeAlias = Callable[[tuple[str, ...]], asyncio.Future[Any]]
"""Sends one command, in order."""


class Witness:
    """Remembers the newest event that a step of this process appended, and looks for it on each new connection.

    Whoever forgets has restarted or is another server, so connections break; and what is lost is always the newest.
    """

    def __init__(self, events: str, kept: int) -> None:
        """`events` is the key of the event log, which is not trimmed below `kept` entries."""
        self._events, self._kept = events, kept
        self._newest = ""

    def saw(self, event: str) -> None:
        """Redis has acknowledged a step that appended this event, or none if it is \"\"."""
        if event and _place(event) > _place(self._newest):
            self._newest = event

    def greet(self, ask: Ask) -> None:
        """Called with each new connection, before anything else is asked on it."""
        if not self._newest:
            return
        expected = self._newest
        found = ask(("XRANGE", self._events, expected, expected))
        oldest = ask(("XRANGE", self._events, "-", "+", "COUNT", "1"))
        length = ask(("XLEN", self._events))
        newest = ask(("XREVRANGE", self._events, "+", "-", "COUNT", "1"))

        def judge(_: object) -> None:
            answers = (found, oldest, length, newest)
            unanswered = [answer.cancelled() or answer.exception() for answer in answers]  # each is looked at
            if any(unanswered) or found.result():
                return
            kept = [_text(rows[0][0]) for rows in (oldest.result(), newest.result()) if rows]
            if kept and _place(kept[0]) > _place(expected) and length.result() >= self._kept:
                return  # it was trimmed, being one of very many; a shorter log began anew
            LOST_WRITES.inc()
            _log.error("ledger_lost_writes", missing=expected, newest=kept[-1] if kept else "")
            if self._newest == expected:
                self._newest = ""

        newest.add_done_callback(judge)


def _text(stream_id: str | bytes) -> str:
    return stream_id if isinstance(stream_id, str) else stream_id.decode()


def _place(event: str) -> tuple[int, int]:
    milliseconds, _, number = event.partition("-")
    return (int(milliseconds), int(number)) if event else (0, 0)
