"""Listings under concurrent change: no row that stays is skipped or repeated, whatever comes and goes meanwhile."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediafleet.v1 import batches_pb2
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.batches_pb2_grpc import BatchServiceStub
from mediafleet_core.identity import TenantId
from mediafleet_core.ledger import LedgerSettings, RedisLedger, connect
from tests import gateways
from tests.gateways import Metadata, Reached, bearer, create

Row = str
DAILY, LONG = 30, 600
MOST_PAGES = 100


class Place(NamedTuple):
    """A gateway on a loop of its own, which outlives the examples."""

    runner: asyncio.Runner
    reached: Reached
    ledger: RedisLedger


@pytest.fixture
def place(redis_url: str, tmp_path: Path) -> Iterator[Place]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        configured = gateways.settings(redis_url, tmp_path / "objects")
        reached = runner.run(stack.enter_async_context(gateways.running(configured)))
        ledger = runner.run(connect(LedgerSettings(ledger_url=redis_url)))
        stack.push_async_callback(ledger.close)
        yield Place(runner, reached, ledger)
        runner.run(stack.aclose())


class Uploads:
    """ListUploads of one tenant that nobody else uses."""

    def __init__(self, place: Place, tenant: str) -> None:
        self._reached, self._as = place.reached, _metadata(tenant)

    async def insert(self) -> Row:
        return (await create(self._reached, self._as, collection="trip")).upload_id

    async def remove(self, row: Row) -> None:
        await self._reached.uploads.DeleteUpload(pb.DeleteUploadRequest(upload_id=row), metadata=self._as)

    async def leave_filter(self, row: Row) -> None:
        await self._reached.uploads.CancelUpload(pb.CancelUploadRequest(upload_id=row), metadata=self._as)

    async def page(self, token: str, size: int, order_by: str, filtered: bool) -> tuple[Sequence[Row], str]:
        which = (
            pb.UploadFilter(states=[pb.UPLOAD_STATE_RECEIVING], collection="trip", text="NOTES") if filtered else None
        )
        request = pb.ListUploadsRequest(page_token=token, page_size=size, order_by=order_by, filter=which)
        page = await self._reached.uploads.ListUploads(request, metadata=self._as)
        return [upload.upload_id for upload in page.uploads], page.next_page_token


class Batches:
    """ListBatches of one tenant that nobody else uses."""

    def __init__(self, place: Place, tenant: str) -> None:
        self._stub, self._ledger = BatchServiceStub(place.reached.channel), place.ledger
        self._tenant, self._as = TenantId(tenant), _metadata(tenant)

    async def insert(self) -> Row:
        request = batches_pb2.CreateBatchRequest(display_name="notes", collection="trip")
        return (await self._stub.CreateBatch(request, metadata=self._as)).batch.batch_id

    async def remove(self, row: Row) -> None:
        """Batches go only when their history is over."""
        await self.leave_filter(row)
        for batch in await self._ledger.old_batches(self._tenant, datetime.now(UTC) + timedelta(days=1), limit=100):
            if batch.batch_id == row:
                assert await self._ledger.prune_batch(batch)

    async def leave_filter(self, row: Row) -> None:
        await self._stub.SealBatch(batches_pb2.SealBatchRequest(batch_id=row), metadata=self._as)

    async def page(self, token: str, size: int, order_by: str, filtered: bool) -> tuple[Sequence[Row], str]:
        states = [batches_pb2.BATCH_STATE_OPEN]
        which = batches_pb2.BatchFilter(states=states, collection="trip", text="NOTES") if filtered else None
        request = batches_pb2.ListBatchesRequest(page_token=token, page_size=size, order_by=order_by, filter=which)
        page = await self._stub.ListBatches(request, metadata=self._as)
        return [batch.batch_id for batch in page.batches], page.next_page_token


Listing = Uploads | Batches
_tenants = (f"tenant-{number}" for number in itertools.count())

CHANGES = st.lists(st.tuples(st.sampled_from(["insert", "remove", "leave"]), st.integers(0, 9)), max_size=4)
SCRIPT = {
    "rows": st.integers(0, 9),
    "size": st.integers(1, 4),
    "order_by": st.sampled_from(["create_time", "create_time desc"]),
    "filtered": st.booleans(),
    "script": st.lists(CHANGES, max_size=6),
}
"""How many rows there are at first, how they are listed, and what happens while each page is read."""


async def play(
    listing: Listing, rows: int, size: int, order_by: str, filtered: bool, script: Sequence[Sequence[tuple[str, int]]]
) -> None:
    first = [await listing.insert() for _ in range(rows)]
    staying = set(first)
    changes = iter(script)
    found: list[Row] = []
    token = ""
    for _ in range(MOST_PAGES):
        meanwhile: list[Awaitable[object]] = []
        touched: set[Row] = set()
        for what, index in next(changes, ()):
            row = first[index] if index < rows else ""
            if what == "insert":
                meanwhile.append(listing.insert())
            elif row in staying and row not in touched:
                touched.add(row)
                meanwhile.append(listing.remove(row) if what == "remove" else listing.leave_filter(row))
                if what == "remove" or filtered:
                    staying.discard(row)
        (page, token), _ = await asyncio.gather(
            listing.page(token, size, order_by, filtered), asyncio.gather(*meanwhile)
        )
        found += page
        if not token:
            break
    else:
        pytest.fail("the listing does not end")
    assert len(found) == len(set(found)), "a row is repeated"
    assert staying <= set(found), "a row is skipped"
    assert found == sorted(found, reverse=order_by != "create_time")


def play_many(place: Place, make: Callable[[Place, str], Listing], examples: int) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(**SCRIPT)
    def example(
        rows: int, size: int, order_by: str, filtered: bool, script: Sequence[Sequence[tuple[str, int]]]
    ) -> None:
        place.runner.run(play(make(place, next(_tenants)), rows, size, order_by, filtered, script))

    example()


@pytest.mark.parametrize("make", [Uploads, Batches])
def test_no_row_that_stays_is_skipped_or_repeated(place: Place, make: Callable[[Place, str], Listing]) -> None:
    play_many(place, make, DAILY)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("make", [Uploads, Batches])
def test_no_row_that_stays_is_skipped_or_repeated_in_many_examples(
    place: Place, make: Callable[[Place, str], Listing]
) -> None:
    play_many(place, make, LONG)


def _metadata(tenant: str) -> Metadata:
    return bearer(tenant)
