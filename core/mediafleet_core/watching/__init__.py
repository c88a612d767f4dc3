"""Watching: a snapshot or a replay, then the tail until the terminal message.

One `Watching` per process reads the event log once for all its watchers, and stops at the first entry that finds none.
A watcher subscribes before it reads the ledger, and drops what it has seen by sequence, so nothing falls between the
two.
"""

from __future__ import annotations

from mediafleet_core.watching.reader import WatchedLedger
from mediafleet_core.watching.watching import Watching

__all__ = ["WatchedLedger", "Watching"]
