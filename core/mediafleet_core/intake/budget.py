"""Memory that writers share."""

from __future__ import annotations


class ByteBudget:
    """Bytes that all writers of a process may hold beyond the one part that each of them fills.

    Nobody waits for it: a writer that gets none sends its parts one by one, so writers cannot block one another.
    """

    def __init__(self, limit: int) -> None:
        self._free = limit

    def take(self, size: int) -> bool:
        """Take `size` bytes if so many are free."""
        if size > self._free:
            return False
        self._free -= size
        return True

    def give_back(self, size: int) -> None:
        """Return what was taken."""
        self._free += size
