"""Plain files as people put them into a folder, read as objects: what local storage has to import from."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from mediafleet_core.ports import StoredObject
from mediafleet_core.storage.folders import keys_below
from mediafleet_core.storage.troubles import missing


class PlainFiles:
    """Files below a folder, only ever read. Symbolic links are not followed: they could lead to other tenants."""

    def __init__(self, folder: Path, prefix: str) -> None:
        """`prefix` is what every key begins with; the folder is made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder.resolve()
        self._prefix = prefix

    def open(self, key: str) -> tuple[BinaryIO, StoredObject]:
        """The file and what it is. Blocks. Raises ORIGINAL_MISSING."""
        path = self._folder / key.removeprefix(self._prefix)
        try:
            if "\0" in key or os.path.realpath(path) != str(path) or not path.is_file():
                raise missing(key)
            file = path.open("rb")
        except PermissionError:
            raise
        except OSError:  # such as a name that is too long to be one
            raise missing(key) from None
        return file, described(key, file)

    def below(self, prefix: str, after: str) -> Iterator[StoredObject]:
        """Every file whose key begins with `prefix`, in key order, behind `after`."""
        for key in keys_below(self._folder, self._prefix, prefix, after, links=False):
            try:
                status = os.lstat(self._folder / key.removeprefix(self._prefix))
            except FileNotFoundError:
                continue  # deleted meanwhile
            if stat.S_ISREG(status.st_mode):
                # A name that is no text is told of as far as it is; nothing will be found under it.
                yield _object(os.fsencode(key).decode(errors="replace"), status)


def described(key: str, file: BinaryIO) -> StoredObject:
    """The open file as it is now; whoever writes to it changes its ETag."""
    return _object(key, os.fstat(file.fileno()))


def _object(key: str, status: os.stat_result) -> StoredObject:
    etag = f"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"
    try:
        modified = datetime.fromtimestamp(status.st_mtime, UTC)
    except (ValueError, OverflowError):  # people's files may have any time, such as the year 14645
        modified = None
    return StoredObject(key, status.st_size, etag, modified=modified)
