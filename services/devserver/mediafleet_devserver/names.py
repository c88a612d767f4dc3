"""The names in `make run FILES="..."`, read as a shell reads them but without running anything."""

from __future__ import annotations

import shlex
from pathlib import Path

from mediafleet_devserver.options import DevServerError

EXAMPLE = """FILES="'my photo.jpg' b.heic\""""


def files_named(text: str) -> list[Path]:
    """Files in the order of their names; `~` and wildcards are understood. Raises DevServerError."""
    try:
        words = shlex.split(text)
    except ValueError:
        raise DevServerError(f"FILES has a quote without its partner. Write names with spaces so: {EXAMPLE}") from None
    return [file for word in words for file in _files(Path(word).expanduser())]


def _files(path: Path) -> list[Path]:
    # What exists is no pattern, whatever its name.
    found = [path] if path.exists() else sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    if not found:
        raise DevServerError(f"FILES: there is no {path}. Names with spaces have quotes of their own: {EXAMPLE}")
    for file in found:
        if not file.is_file():
            raise DevServerError(f"FILES: {file} is no file.")
    return found
