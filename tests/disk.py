"""A disk that others use, too."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BLOCK = 1 << 20
_BLOCKS = 16
"""Of the file, which is written over and over."""

_MOST = 8 << 30
"""Bytes after which it is enough, whatever happens."""


@contextmanager
def busy_disk(folder: Path) -> Iterator[None]:
    """Inside the context a file in `folder` is written and synced, block by block, as fast as the disk can."""
    ended = threading.Event()

    def write() -> None:
        block = os.urandom(_BLOCK)
        with (folder / "busy").open("wb", buffering=0) as file:
            for number in range(_MOST // _BLOCK):
                if ended.is_set():
                    return
                file.seek(number % _BLOCKS * _BLOCK)
                file.write(block)
                os.fsync(file.fileno())

    writer = threading.Thread(target=write, name="busy-disk")
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()
