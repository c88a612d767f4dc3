"""Fails when requirements.lock does not satisfy what a pyproject.toml asks for; needs no index."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

DISTRIBUTIONS = ("sdk", "core", "services/gateway", "workers", "services/devserver")
ENTRY = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)


def locked(lock: str) -> dict[str, set[Version]]:
    """Every locked version by distribution; a name may have one per platform or Python."""
    versions: dict[str, set[Version]] = {}
    for name, version in ENTRY.findall(lock):
        versions.setdefault(canonicalize_name(name), set()).add(Version(version))
    return versions


def declared(root: Path) -> tuple[list[Requirement], dict[NormalizedName, Version]]:
    """What the distributions and the dependency groups ask for, and the distributions' own versions."""
    groups = tomllib.loads((root / "pyproject.toml").read_text())["dependency-groups"]
    texts = [text for group in groups.values() for text in group if isinstance(text, str)]
    own = {}
    for directory in DISTRIBUTIONS:
        project = tomllib.loads((root / directory / "pyproject.toml").read_text())["project"]
        own[canonicalize_name(project["name"])] = Version(project["version"])
        texts += project["dependencies"]
        for extra in project.get("optional-dependencies", {}).values():
            texts += extra
    return [Requirement(text) for text in texts], own


def main() -> int:
    root = Path(__file__).parents[1]
    requirements, own = declared(root)
    versions = locked((root / "requirements.lock").read_text()) | {name: {own[name]} for name in own}
    stale = [
        str(requirement)
        for requirement in requirements
        if not (found := versions.get(canonicalize_name(requirement.name)))
        or not all(requirement.specifier.contains(version, prereleases=True) for version in found)
    ]
    if stale:
        print("requirements.lock lacks", ", ".join(stale), "- run make lock", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
