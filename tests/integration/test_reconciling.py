"""Reconciling the bucket with the counters: what is found, where, how fast, and what is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path

import google_crc32c
import pytest
from redis.asyncio import Redis

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.identity import TenantId
from mediafleet_core.ledger import LedgerSettings, RedisLedger
from mediafleet_core.ledger.connection import Connection
from mediafleet_core.metering import Bill, Metering
from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.ports import ObjectStore, StoredObject
from mediafleet_core.reconciling import reconcile
from mediafleet_core.storage import open_store
from mediafleet_core.storage.links import LinkSigner
from mediafleet_core.storage.local import LocalStore
from mediafleet_core.uploads import Upload
from mediafleet_core.usage import Operations, Reconciliation, Stored
from tests.buckets import bucket
from tests.intakes import local_store
from tests.ledgers import ANN, BOB, SPEC, created, finished, ledger_at
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("same_hour")

NOW = timedelta(0)


@pytest.fixture
async def ledger(redis_url: str, redis_client: Redis) -> AsyncIterator[RedisLedger]:
    async with ledger_at(redis_url) as ledger:
        yield ledger


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LocalStore]:
    store = local_store(tmp_path)
    yield store
    await store.close()


async def put(store: ObjectStore, key: str, size: int) -> None:
    body = bytes(size)
    await store.put(key, [body], crc32c=google_crc32c.value(body))


async def kept(ledger: RedisLedger, store: ObjectStore, tenant: TenantId = ANN) -> Upload:
    """An upload that is stored as it is counted: 1,000 bytes."""
    upload = await created(ledger, SPEC, tenant)
    session = await ledger.open_write(upload.upload_id, tenant, 0)
    await put(store, UploadKeys(tenant, upload.upload_id).original(session.fence), 1000)
    return await finished(ledger, upload, session.fence)


async def reconciled(ledger: RedisLedger, store: ObjectStore, requests: int = 4) -> Reconciliation:
    found = await reconcile(store, ledger, every=NOW, again=NOW, requests=requests)
    assert found is not None
    return found


async def test_drift_is_what_was_lost_and_what_nobody_knows_of(ledger: RedisLedger, store: LocalStore) -> None:
    uploads = [await kept(ledger, store, tenant) for tenant in (ANN, ANN, ANN, BOB)]
    assert (await reconciled(ledger, store)).drift == Stored()
    await store.delete([uploads[0].original_key])
    assert (await reconciled(ledger, store)).drift == Stored(-1000, -1)
    await put(store, UploadKeys(ANN, uploads[1].upload_id).rendition(7, "stray", ".jpg"), 30)
    await put(store, uploads[3].original_key, 999)
    assert (await reconciled(ledger, store)).drift == Stored(-971, 0)
    await put(store, "uploads/nobody/01a1fb23-d97a-7377-a304-1636ac2264ff/o/1", 5)
    assert (await reconciled(ledger, store)).drift == Stored(-966, 1)


async def test_what_usage_does_not_count_is_told_apart(ledger: RedisLedger, store: LocalStore) -> None:
    upload = await kept(ledger, store)
    keys = UploadKeys(ANN, upload.upload_id)
    for key in (keys.manifest, keys.tail(3), "archive/ann/uploads/2026-01-01/x.jsonl", "zebra"):
        await put(store, key, 10)
    found = await reconciled(ledger, store)
    assert (found.listed, found.other, found.drift) == (Stored(1000, 1), Stored(40, 4), Stored())


class SlowStore(LocalStore):
    """Counts the listings that are under way, and holds up each until there are some."""

    under_way = most = 0

    async def list(self, prefix: str, *, after: str = "") -> AsyncIterator[StoredObject]:
        """See `ObjectStore`."""
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        for _ in range(10):
            await asyncio.sleep(0)
        try:
            async for found in super().list(prefix, after=after):
                yield found
        finally:
            self.under_way -= 1


async def test_ranges_of_keys_are_listed_at_once(ledger: RedisLedger, tmp_path: Path) -> None:
    store = SlowStore(tmp_path, LinkSigner("http://127.0.0.1:1", "0123456789abcdef"))
    for number in range(20):
        await kept(ledger, store, ANN if number % 4 else BOB)
    found = await reconciled(ledger, store, requests=5)
    assert (found.listed, found.drift) == (Stored(20_000, 20), Stored())
    assert store.most == 5
    assert store.under_way == 0
    await store.close()


async def test_a_storage_that_fails_ends_it_without_a_result(ledger: RedisLedger) -> None:
    with bucket("reconciling-fails") as behind:
        store = open_store(behind.settings)
        await kept(ledger, store)
        first = await reconciled(ledger, store)
        broken = open_store(behind.settings.model_copy(update={"r2_bucket_name": "elsewhere"}))
        with pytest.raises(MediafleetError):
            await reconciled(ledger, broken)
        await store.close()
        await broken.close()
    assert (first.listed, first.drift) == (Stored(1000, 1), Stored())
    assert await ledger.reconciliation() == (first, None)


class Unheard(RedisLedger):
    """A real ledger that begins a reconciliation, and whose answer is not waited for."""

    async def begin_reconciliation(
        self, run: str, *, lease: timedelta, every: timedelta, again: timedelta
    ) -> Stored | None:
        """See `UsageLedger`."""
        await super().begin_reconciliation(run, lease=lease, every=every, again=again)
        raise asyncio.CancelledError


async def test_one_that_was_begun_unheard_holds_up_no_other(
    ledger: RedisLedger, store: LocalStore, redis_url: str
) -> None:
    unheard = Unheard(Connection(LedgerSettings(ledger_url=redis_url)), "")
    with pytest.raises(asyncio.CancelledError):
        await reconcile(store, unheard, every=NOW, again=NOW, requests=1)
    await unheard.close()
    assert (await reconciled(ledger, store)).drift == Stored()


async def test_operations_of_every_process_are_in_one_count(ledger: RedisLedger) -> None:
    with bucket("metering") as behind:
        for _ in range(2):
            bill = Bill()
            store = open_store(behind.settings, bill)
            async with Metering(ledger, bill):
                upload = await kept(ledger, store)
                assert await store.head(upload.original_key)
                assert await store.head("uploads/bob/nothing/o/1") is None
                assert [each async for each in store.list("")]
                # A client sends it, not this process; but it is billed all the same.
                await store.sign_part("uploads/bob/x/o/1", "id", 1, size=1, crc32c=0, expires_in=timedelta(minutes=1))
            await store.close()
    assert await ledger.operations(ANN) == Operations(class_a=2, class_b=2)
    assert await ledger.operations(BOB) == Operations(class_a=2, class_b=2)
    assert await ledger.operations(None) == Operations(class_a=6, class_b=4)


class Doubtful(RedisLedger):
    """A real ledger whose first answer about operations is lost."""

    lost = False

    async def count_operations(self, counts: Mapping[TenantId, Operations], *, op: str) -> None:
        """See `UsageLedger`."""
        await super().count_operations(counts, op=op)
        if not self.lost:
            self.lost = True
            raise MediafleetError(Reason.LEDGER_UNAVAILABLE, "away")


async def test_operations_count_once_even_if_the_answer_is_lost(ledger: RedisLedger, redis_url: str) -> None:
    doubtful, bill = Doubtful(Connection(LedgerSettings(ledger_url=redis_url)), ""), Bill()
    async with Metering(doubtful, bill, interval=0.01):
        bill.add(ANN, Operations(1, 2))
        await eventually(lambda: counted(ledger, Operations(1, 2)), message="the first count")
        bill.add(ANN, Operations(10, 20))
        await eventually(lambda: counted(ledger, Operations(11, 22)), message="the second count")
        bill.add(ANN, Operations(100, 200))  # delivered at the end
    assert doubtful.lost
    assert await ledger.operations(ANN) == Operations(111, 222)
    await doubtful.close()


async def counted(ledger: RedisLedger, expected: Operations) -> bool:
    return await ledger.operations(ANN) == expected
