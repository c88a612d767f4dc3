"""Files that are made from something else: written, or held to what they would be."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def write_or_check(files: Mapping[Path, str], remedy: str, arguments: Sequence[str]) -> int:
    """The exit status; with --check nothing is written, and each file that differs is named with its remedy."""
    if list(arguments) != ["--check"]:
        for path, text in files.items():
            path.write_text(text)
        return 0
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        print(f"{path.relative_to(_ROOT)} is not what it is made from: {remedy}", file=sys.stderr)
    return 1 if stale else 0
