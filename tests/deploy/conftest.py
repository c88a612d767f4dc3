"""What tests of the deployment may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import promtool as unpacked


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Of Debian's package."""
    return unpacked.binaries() / "promtool"
