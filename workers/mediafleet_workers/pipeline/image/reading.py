"""A file that tells how far it was read: the real units of decoders that read in blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any


class ReportingFile:
    """Everything else is the file's own."""

    def __init__(self, file: IO[bytes], size: int, report: Callable[[float], None]) -> None:
        """`report` hears after each read what part of the file's `size` bytes (0 to 1) lies behind."""
        self._file, self._size, self._report = file, size, report

    def read(self, size: int = -1) -> bytes:
        """As the file reads."""
        content = self._file.read(size)
        self._report(min(1.0, self._file.tell() / max(1, self._size)))
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
