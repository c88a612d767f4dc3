"""Files of a folder that a batch is made of: found in the same order by everyone who looks."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

TYPES = ("image", "audio", "video", "document", "other")
"""Kinds of media, as the name of a file tells them."""

# Python's own table, and not the machine's: the same folder is the same batch everywhere.
_BY_NAME = mimetypes.MimeTypes()


MEDIA_TYPES = frozenset(media_type for known in _BY_NAME.types_map for media_type in known.values())
"""Those that a name can tell."""


class Choice(NamedTuple):
    """Which files are meant. Each given part must hold; none at all means every file.

    `types` are kinds of media or media types such as `image/png`. Patterns with a slash are for the path within the
    folder, others for the name; their `*` crosses slashes.
    """

    types: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def covers(self, path: str) -> bool:
        """Whether the file at this path within the folder is meant."""
        wanted = not self.types or not self.types_of(path).isdisjoint(self.types)
        included = not self.include or _matches(path, self.include)
        return wanted and included and not _matches(path, self.exclude)

    @staticmethod
    def types_of(path: str) -> set[str]:
        """The kind of media and the media type, as far as the name tells them."""
        media_type = _BY_NAME.guess_type(path, strict=False)[0] or ""
        kind = "document" if media_type == "application/pdf" else media_type.partition("/")[0]
        return {kind if kind in TYPES else "other", media_type}


class Found(NamedTuple):
    """A file: where it is, and its bytes."""

    path: Path
    size: int


def scan(folder: Path, choice: Choice) -> Iterator[Found]:
    """The files below a folder, sorted within each, without hidden ones.

    Symbolic links count as what they lead to, if that is within the folder and was not found before. Raises OSError for
    a folder that cannot be read.
    """
    root = os.path.realpath(folder)
    seen = {root}
    folders = [folder]
    while folders:
        deeper: list[Path] = []
        for path in _entries(folders.pop()):
            real = os.path.realpath(path)
            if not real.startswith(root.rstrip(os.sep) + os.sep) or real in seen:
                continue
            if path.is_dir():
                seen.add(real)
                deeper.append(path)
            elif path.is_file() and choice.covers(path.relative_to(folder).as_posix()):
                seen.add(real)
                yield Found(path, path.stat().st_size)
        folders += reversed(deeper)


def _entries(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return [folder / name for name in sorted(entry.name for entry in entries) if not name.startswith(".")]


def _matches(path: str, patterns: Sequence[str]) -> bool:
    name = path.rpartition("/")[2]
    return any(fnmatchcase(path if "/" in pattern else name, pattern) for pattern in patterns)
