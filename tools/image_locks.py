"""Cuts the locks of the images out of requirements.lock: python -m tools.image_locks [--check].

An image installs what its distribution needs and nothing else, in the versions and with the hashes that everything
here is tested with. Run in the environment of `make setup`, which tells what needs what.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.made import write_or_check

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "deploy/images"

_NEEDS = {"gateway": "mediafleet-gateway[uvloop]", "workers": "mediafleet-workers[cli,uvloop]", "build": "hatchling"}
"""By the lock's name."""


def closure(name: str, extras: frozenset[str] = frozenset(), *, anywhere: bool = False) -> set[str]:
    """Canonical names of `name` and of all it declares, directly or not, on this Python and platform, or `anywhere`."""
    seen: set[tuple[str, frozenset[str]]] = set()
    open_ = [(canonicalize_name(name), extras)]
    while open_:
        current = open_.pop()
        if current in seen:
            continue
        seen.add(current)
        for requirement in map(Requirement, _declared(current[0])):
            if _wanted(requirement.marker, current[1], anywhere):
                open_.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return {distribution for distribution, _ in seen}


def _declared(name: str) -> list[str]:
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:  # it is for another Python or platform
        return []


def _wanted(marker: Marker | None, extras: frozenset[str], anywhere: bool) -> bool:
    if marker is None or (anywhere and "extra ==" not in str(marker)):
        return True
    return any(marker.evaluate({"extra": extra}) for extra in extras | {""})


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
        # The image's Python may be another one than ours; the entries say what is for which.
        IMAGES / f"{name}.lock": cut(lock, closure(need.name, frozenset(need.extras), anywhere=True))
        for name, need in needs.items()
    }


def main(arguments: list[str]) -> int:
    """The exit status."""
    return write_or_check(made(), "run make deploy-files", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
