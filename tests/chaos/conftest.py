"""One fleet for the whole matrix: what one case leaves behind is the next one's trouble, too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from mediafleet_core.ledger import LedgerSettings, RedisLedger, connect
from mediafleet_core.storage.local import LocalStore
from tests.chaos.fleet import FaultyFleet, faulty_fleet_in
from tests.intakes import local_store


@pytest.fixture(scope="package")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyFleet]:
    """Two gateways, two workers, a Redis, a folder for storage, short leases."""
    with faulty_fleet_in(tmp_path_factory.mktemp("chaos")) as fleet:
        yield fleet


@pytest.fixture
async def ledger(fleet: FaultyFleet) -> AsyncIterator[RedisLedger]:
    """The fleet's, to look behind the scenes."""
    fleet.mend_redis()
    ledger = await connect(LedgerSettings(ledger_url=fleet.redis_url))
    yield ledger
    await ledger.close()


@pytest.fixture
async def store(fleet: FaultyFleet) -> AsyncIterator[LocalStore]:
    """The fleet's."""
    store = local_store(fleet.folder / "objects")
    yield store
    await store.close()
