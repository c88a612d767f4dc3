"""One fleet for the whole matrix: what one case leaves behind is the next one's trouble, too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from mediafleet_core.ledger import RedisLedger
from mediafleet_core.storage.local import LocalStore
from tests.chaos.fleet import FaultyFleet, faulty_fleet_in
from tests.intakes import local_store
from tests.ledgers import ledger_at


@pytest.fixture(scope="package")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyFleet]:
    """Two gateways, two workers, a Redis, a folder for storage, short leases."""
    with faulty_fleet_in(tmp_path_factory.mktemp("chaos")) as fleet:
        yield fleet


@pytest.fixture
async def ledger(fleet: FaultyFleet) -> AsyncIterator[RedisLedger]:
    """The fleet's, to look behind the scenes."""
    fleet.mend_redis()  # what a case that failed has left dead or asleep fails no other
    fleet.wake()
    fleet.mend()
    async with ledger_at(fleet.redis_url) as ledger:
        yield ledger


@pytest.fixture
async def store(fleet: FaultyFleet) -> AsyncIterator[LocalStore]:
    """The fleet's."""
    store = local_store(fleet.folder / "objects")
    yield store
    await store.close()
