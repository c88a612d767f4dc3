"""The same for uploads whose bytes pass no gateway: sent straight to a bucket, and copied within it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from mediafleet import AsyncClient
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core.identity import TenantId
from mediafleet_core.intake.crc32c import checksum
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.object_keys import ROOT, imports
from mediafleet_core.ports import ObjectStore
from mediafleet_core.storage import open_store
from tests.buckets import environment_of
from tests.chaos.cases import Case, cases_of, picture
from tests.chaos.fleet import FaultyFleet, faulty_fleet_in
from tests.chaos.outcome import passes
from tests.chaos.points import AT_STORAGE, Fault, Sent, Side
from tests.directs import PART, Bucket, bucket

_SIZES = {Sent.DIRECT: PART + 100_001, Sent.IMPORT: 0, Sent.LARGE_IMPORT: PART + 100_001}

_DAILY = {
    ("complete direct", Fault.KILL, Side.AFTER),
    ("copy in parts", Fault.CUT, Side.AFTER),
}
"""Where most is at stake: an object that is made, of which nobody has heard."""


@pytest.fixture(scope="module")
def r2() -> Iterator[Bucket]:
    with bucket() as made:
        yield made


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, r2: Bucket) -> Iterator[FaultyFleet]:
    """As the other one, on a bucket."""
    storage = {
        **environment_of(r2.storage),
        "MEDIAFLEET_DIRECT_PART_BYTES": str(PART),
        "MEDIAFLEET_STORAGE_COPY_BYTES": str(PART),
    }
    with faulty_fleet_in(tmp_path_factory.mktemp("chaos"), storage) as fleet:
        yield fleet


@pytest.fixture
async def store(r2: Bucket) -> AsyncIterator[ObjectStore]:
    """The fleet's."""
    store = open_store(r2.storage)
    yield store
    await store.close()


def cases() -> Iterator[pytest.ParameterSet]:
    """Every fault at every point."""
    for point in AT_STORAGE:
        for case in cases_of(point):
            daily = case.times == 1 and (point.name, case.fault, case.side) in _DAILY
            yield case.param(daily=daily)


@pytest.mark.parametrize("case", list(cases()))
async def test_nothing_shows_of_a_fault(
    fleet: FaultyFleet, ledger: RedisLedger, store: ObjectStore, tmp_path: Path, case: Case
) -> None:
    fleet.wait()
    tenant, file = TenantId(f"t{uuid4().hex}"), tmp_path / "picture.jpg"
    content = picture(file, _SIZES[case.point.sent])
    source = f"{imports(tenant)}{file.name}"
    if case.point.sent is not Sent.DIRECT:
        await store.put(source, [content], crc32c=checksum(content))

    async def send(client: AsyncClient) -> pb.Upload:
        if case.point.sent is Sent.DIRECT:
            return await client.upload(file, transfer="direct", wait=True, timeout=60)
        (found,) = [importable async for importable in client.imports.list()]
        taken = await client.imports.take(found)
        return await client.wait(taken.upload_id, timeout=60)

    await passes(fleet, ledger, store, case, tenant, content, send)
    if case.point.sent is not Sent.DIRECT:
        assert b"".join([chunk async for chunk in store.read(source)]) == content
        await store.delete([source])


async def test_nothing_is_left_behind_in_the_end(fleet: FaultyFleet, ledger: RedisLedger, store: ObjectStore) -> None:
    assert {stored.key async for stored in store.list(ROOT)} == fleet.named
    assert [found async for found in store.list_multiparts(ROOT)] == []
