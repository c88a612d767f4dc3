"""One fleet for the whole matrix: what one case leaves behind is the next one's trouble, too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.fleet import FaultyFleet, faulty_fleet_in


@pytest.fixture(scope="package")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyFleet]:
    """Two gateways, two workers, a Redis, a folder for storage, short leases."""
    with faulty_fleet_in(tmp_path_factory.mktemp("chaos")) as fleet:
        yield fleet
