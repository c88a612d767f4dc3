"""The distributions as they are shipped: their wheels, what they declare, and what that closes over."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

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
