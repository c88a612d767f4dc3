"""Cuts the locks of the images out of requirements.lock: tools/image_locks.py [--check].

An image installs what its distribution needs and nothing else, in the versions and with the hashes that everything
here is tested with. Run in the environment of `make setup`, which tells what needs what. With --check nothing is
written, and a difference is a failure.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "deploy/images"

_NEEDS = {"gateway": "mediafleet-gateway[uvloop]", "workers": "mediafleet-workers[uvloop]", "build": "hatchling"}
"""By the lock's name."""


def closure(name: str, extras: frozenset[str] = frozenset()) -> set[str]:
    """Canonical names of `name` and of all it declares, directly or not, on this Python and platform."""
    seen: set[tuple[str, frozenset[str]]] = set()
    open_ = [(canonicalize_name(name), extras)]
    while open_:
        current = open_.pop()
        if current in seen:
            continue
        seen.add(current)
        for text in metadata.requires(current[0]) or []:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in current[1] | {""}):
                open_.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return {distribution for distribution, _ in seen}


def cut(lock: str, names: Iterable[str]) -> str:
    """The entries of these names, as they stand in a lock."""
    wanted = set(names)
    entries = re.split(r"^(?=\S)", lock, flags=re.MULTILINE)
    return "".join(entry for entry in entries if entry.split("==")[0] in wanted)


def made() -> Mapping[Path, str]:
    """Every lock of an image, and what it must hold."""
    lock = (ROOT / "requirements.lock").read_text()
    needs = {name: Requirement(text) for name, text in _NEEDS.items()}
    return {
        IMAGES / f"{name}.lock": cut(lock, closure(need.name, frozenset(need.extras))) for name, need in needs.items()
    }


def main(arguments: list[str]) -> int:
    """The exit status."""
    locks = made()
    if arguments == ["--check"]:
        stale = [path for path, text in locks.items() if not path.exists() or path.read_text() != text]
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not cut from requirements.lock; run make deploy-files")
        return bool(stale)
    for path, text in locks.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
