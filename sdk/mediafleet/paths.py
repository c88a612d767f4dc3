"""Where a file lies within a folder, as it can be told to others."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

LONGEST = 1024
"""Characters that a gateway takes; of longer paths the end is told."""

_UNTOLD = frozenset({"Cc", "Cs", "Zl", "Zp"})


def path_within(folder: str | os.PathLike[str], source: object) -> str:
    """The path of `source` below `folder`; "" where it is none, or lies elsewhere.

    What no one could read stands as a replacement character.
    """
    if not folder or not isinstance(source, str | os.PathLike):
        return ""
    path = Path(os.fsdecode(source))
    if not path.is_relative_to(folder):
        return ""
    text = os.fsencode(path.relative_to(folder).as_posix()).decode(errors="replace")
    readable = (
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in _UNTOLD else character for character in text
    )
    return "".join(readable)[-LONGEST:]
