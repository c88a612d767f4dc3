"""One dev server for the tests that leave it as they found it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.dev_server import DevServerProcess, dev_server


@pytest.fixture(scope="session")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServerProcess]:
    """Two gateways, one worker for pictures and one for the rest, local storage."""
    with dev_server(tmp_path_factory.mktemp("dev") / ".mediafleet", "--gateways", "2") as server:
        yield server
