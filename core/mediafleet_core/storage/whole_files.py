"""Files that are whole or absent: written aside, synced, and named when all of it is on disk."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from time import time
from typing import BinaryIO

from mediafleet_core.storage.bodies import CHUNK, crc32c_of
from mediafleet_core.storage.troubles import corrupt

_STALE = 24 * 3600.0


class FolderGoneError(FileNotFoundError):
    """The folder that a file shall get its name in is not there."""


class WholeFiles:
    """Writes files by way of a folder of their file system."""

    def __init__(self, temporary: Path) -> None:
        """Removes what a crash left half written a day ago or earlier."""
        self._temporary = temporary
        temporary.mkdir(parents=True, exist_ok=True)
        for left in temporary.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another process was done with it
                if left.stat().st_mtime < time() - _STALE:
                    left.unlink()

    def write(self, target: Path, fill: Callable[[BinaryIO], object]) -> None:
        """Write, sync, rename; when `fill` raises, nothing is kept. Raises FolderGoneError."""
        temporary = self._temporary / uuid.uuid4().hex
        try:
            with temporary.open("xb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            try:
                temporary.replace(target)
            except FileNotFoundError as error:
                raise FolderGoneError from error
        finally:
            temporary.unlink(missing_ok=True)
        sync(target.parent)


def pour(file: BinaryIO, key: str, pieces: Iterable[bytes | memoryview], expected: int | None = None) -> int:
    """The CRC32C of the pieces, which are written; it must be as expected."""
    crc = 0
    for piece in pieces:
        file.write(piece)
        crc = crc32c_of([piece], crc)
    if expected not in {None, crc}:
        raise corrupt(key)
    return crc


def copy(source: BinaryIO, target: BinaryIO, size: int) -> None:
    """The first `size` bytes, or those that there are; in the kernel, where a file system may only share the blocks."""
    target.flush()
    done = 0
    with contextlib.suppress(AttributeError, OSError):  # not every system and file system can
        while copied := os.copy_file_range(source.fileno(), target.fileno(), size - done, offset_src=done):
            done += copied
    target.seek(0, os.SEEK_END)
    source.seek(done)
    while done < size and (chunk := source.read(min(CHUNK, size - done))):
        target.write(chunk)
        done += len(chunk)


def make_folders(folder: Path) -> None:
    """The folder and those above it, on disk. Raises FolderGoneError where one goes meanwhile."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    try:
        folder.mkdir()
    except FileExistsError:
        pass  # another writer made it; whether it stays is seen when the file gets its name
    except FileNotFoundError as error:
        raise FolderGoneError from error
    sync(folder.parent)


def sync(folder: Path) -> None:
    """What the folder names is on disk. One that is gone by now was empty: a delete took it away."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
