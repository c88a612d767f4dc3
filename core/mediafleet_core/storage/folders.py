"""Walking a folder in the order of keys."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

LONGEST_KEY = 1024
"""Bytes, as with S3."""


def keys_below(folder: Path, base: str, prefix: str, after: str, *, links: bool) -> Iterator[str]:
    """Keys of files, each `base` and the path below the folder, that begin with `prefix` and come behind `after`.

    Only folders are read that can hold some; symbolic links to others only with `links`. What lies so deep that its
    key would be too long is no object.
    """
    try:
        # A folder sorts as its keys do: with the slash.
        names = sorted(entry.name + "/" * entry.is_dir(follow_symlinks=links) for entry in os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        key = base + name
        if len(os.fsencode(key)) > LONGEST_KEY:
            continue
        if not name.endswith("/"):
            if key.startswith(prefix) and key > after:
                yield key
        elif (key.startswith(prefix) or prefix.startswith(key)) and (key > after or after.startswith(key)):
            yield from keys_below(folder / name, key, prefix, after, links=links)
