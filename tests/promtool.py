"""Debian's prometheus and promtool, unpacked once beside the environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NO_APT = 3


def binaries() -> Path:
    """The folder that has both; skips the test where there is no apt to get them by."""
    folder = Path(sys.prefix) / "prometheus"
    unpacked = subprocess.run([ROOT / "tools/prometheus.sh", folder], check=False, capture_output=True, text=True)
    if unpacked.returncode == NO_APT:
        pytest.skip(unpacked.stderr)
    assert unpacked.returncode == 0, unpacked.stderr
    return folder / "usr/bin"
