"""Celery in an environment of its own, made once in the user's cache from `celery.lock`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

_LOCK = Path(__file__).with_name("celery.lock")
_ROOT = Path(__file__).parents[2]
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mediafleet-bench" / "celery"


def python() -> str:
    """The interpreter of that environment, which is made afresh when the lock has changed."""
    interpreter, made_of = _CACHE / "bin" / "python", _CACHE / _LOCK.name
    if not made_of.exists() or made_of.read_bytes() != _LOCK.read_bytes():
        _CACHE.parent.mkdir(parents=True, exist_ok=True)
        variables = os.environ | {"VENV": str(_CACHE), "PYTHON": sys.executable}
        subprocess.run([_ROOT / "tools" / "venv.sh"], env=variables, check=True, stdout=subprocess.DEVNULL)
        pip = (interpreter, "-m", "pip", "--disable-pip-version-check", "-qq", "install")
        subprocess.run([*pip, "--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", _LOCK], check=True)
        shutil.copy(_LOCK, made_of)
    return str(interpreter)
