"""The distributions as they are shipped: their wheels, what they declare, and what that closes over."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]

IMPORT_ALL = """
import importlib, pkgutil, sys
package, *sys.path[len(sys.path):] = sys.argv[1:]
root = importlib.import_module(package)
for module in pkgutil.walk_packages(root.__path__, package + "."):
    if not module.name.endswith(".__main__"):
        importlib.import_module(module.name)
        print(module.name)
"""
"""Imports every module of the package argv[1] from the folders argv[2:] and the standard library."""


@dataclass(frozen=True)
class Distribution:
    name: str
    folder: Path

    @property
    def package(self) -> str:
        return self.name.replace("-", "_")

    def build(self, into: Path) -> Path:
        """Its wheel."""
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(into)]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        (wheel,) = into.glob(f"{self.package}-*.whl")
        return wheel


def _all() -> dict[str, Distribution]:
    folders = sorted(path.parent for pattern in ("*/", "services/*/") for path in ROOT.glob(pattern + "pyproject.toml"))
    named = [(tomllib.loads((folder / "pyproject.toml").read_text())["project"]["name"], folder) for folder in folders]
    return {name: Distribution(name, folder) for name, folder in named}


DISTRIBUTIONS = _all()


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


def unpack(wheel: Path, into: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(into)


def link(name: str, into: Path) -> None:
    """Links every file of the installed distribution, and no other, below `into`."""
    for file in metadata.files(name) or []:
        target = into / file
        if ".." in file.parts or target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(Path(str(file.locate())))
