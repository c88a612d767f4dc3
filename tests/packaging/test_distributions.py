"""Each distribution works with what it declares and nothing else, and its wheel is complete."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.packaging.distributions import DISTRIBUTIONS, IMPORT_ALL, ROOT, Distribution, link, unpack
from tools.image_locks import closure, cut

each = pytest.mark.parametrize("distribution", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS.keys())


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("wheels")
    return {name: distribution.build(folder) for name, distribution in DISTRIBUTIONS.items()}


@each
def test_wheel_holds_every_file_of_the_package(distribution: Distribution, wheels: dict[str, Path]) -> None:
    package = distribution.folder / distribution.package
    with zipfile.ZipFile(wheels[distribution.name]) as wheel:
        shipped = {name for name in wheel.namelist() if name.startswith(f"{distribution.package}/")}
    kept = {
        str(path.relative_to(distribution.folder))
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert shipped == kept
    assert f"{distribution.package}/py.typed" in shipped


@each
def test_imports_stay_within_the_declared_dependencies(
    distribution: Distribution, wheels: dict[str, Path], tmp_path: Path
) -> None:
    for name in closure(distribution.name):
        if name in wheels:
            unpack(wheels[name], tmp_path)
        else:
            link(name, tmp_path)
    command = [sys.executable, "-I", "-S", "-c", IMPORT_ALL, distribution.package, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.long
@each
def test_installs_alone(distribution: Distribution, wheels: dict[str, Path], tmp_path: Path) -> None:
    """A fresh environment with the locked dependencies of this distribution, installed as an image does it."""
    needed = closure(distribution.name)
    lock = tmp_path / "requirements.lock"
    lock.write_text(cut((ROOT / "requirements.lock").read_text(), needed))
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = str(environment / "bin" / "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    install = [*pip, "install", "--no-compile", "--no-deps"]
    subprocess.run([*install, "--require-hashes", "--only-binary", ":all:", "-r", str(lock)], check=True)
    subprocess.run([*install, "--no-index", *(str(wheels[name]) for name in needed & wheels.keys())], check=True)
    subprocess.run([*pip, "check"], check=True)
    subprocess.run([python, "-I", "-c", IMPORT_ALL, distribution.package], check=True)
