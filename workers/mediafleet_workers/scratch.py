"""Folders for running jobs, on local disk. A worker that was killed leaves some; the next one removes them."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


class Scratch:
    """This process's part of a folder that workers share; a lock on it, gone with the process, says it is in use."""

    def __init__(self, shared: Path) -> None:
        """Makes the part and removes those of dead workers."""
        shared = shared.absolute()  # children do not share this process's working directory
        shared.mkdir(parents=True, exist_ok=True)
        self._lock, self.folder = _take_new(shared)
        for other in shared.iterdir():
            if other != self.folder and (lock := _take(other)) is not None:
                shutil.rmtree(other, ignore_errors=True)
                os.close(lock)

    @asynccontextmanager
    async def job_folder(self) -> AsyncIterator[Path]:
        """An empty folder that is gone afterwards, with all that is in it."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))  # quicker than a thread is woken
        try:
            yield folder
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def close(self) -> None:
        """Remove the part."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)


def _take_new(shared: Path) -> tuple[int, Path]:
    while True:  # another worker that starts now may take and remove it before it is locked
        folder = Path(tempfile.mkdtemp(prefix="worker-", dir=shared))
        if (lock := _take(folder)) is not None:
            return lock, folder


def _take(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock; None if it is in use or gone."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if folder.stat().st_ino == os.fstat(lock).st_ino:
            return lock
    except OSError:
        pass
    os.close(lock)
    return None
