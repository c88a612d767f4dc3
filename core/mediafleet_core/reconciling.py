"""Reconciling the counters of usage with the bucket, while both go on changing.

A listing takes its time, and sees each upload at another moment. So the ledger notes, while it runs, which uploads'
usage moves. Those count on neither side; the rest must be in the bucket as it was counted when the listing began:

    drift = listed of those that did not move - (counted at the beginning - counted then of those that moved)

Where more is listed of an upload than is counted, it is looked at again at the end: work that is under way is stored
before it is counted, and what is deleted is refunded before it is swept.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Container, Sequence
from contextlib import aclosing
from datetime import timedelta
from itertools import pairwise
from typing import NamedTuple, TypeVar

import structlog

from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.object_keys import UploadKeys, counted_for
from mediafleet_core.ports import ListedUpload, ObjectStore, UsageLedger
from mediafleet_core.usage import Reconciliation, Stored

LEASE = timedelta(minutes=5)
"""Longer than one call of the storage takes, with all its repeats."""

RANGES_EACH = 2
"""Ranges of keys for each listing that runs at a time, so that all end about together."""

AT_ONCE = 250
"""Uploads that are compared in one step, and at most four times as many objects: a page of a listing."""

_log = structlog.get_logger(__name__)
_Item = TypeVar("_Item")


class _OverError(Exception):
    """The lease ended, or another run took over."""


class _Range(NamedTuple):
    """Keys behind `after` and up to `until`; "" is no bound."""

    after: str
    until: str


async def reconcile(
    store: ObjectStore,
    ledger: UsageLedger,
    *,
    every: timedelta,
    again: timedelta,
    requests: int,
) -> Reconciliation | None:
    """Reconcile, if it is due, with so many listings at a time; None if it is not, or if another run took over.

    How far it is can be read from the ledger. Raises what storage and ledger raise.
    """
    run = uuid.uuid4().hex
    try:
        counted = await ledger.begin_reconciliation(run, lease=LEASE, every=every, again=again)
        return None if counted is None else await _Run(store, ledger, run, requests).reconcile(counted)
    except _OverError:
        _log.warning("reconciliation_over")
        return None
    except BaseException:
        await ledger.give_up_reconciliation(run)
        raise


class _Run:
    def __init__(self, store: ObjectStore, ledger: UsageLedger, name: str, requests: int) -> None:
        self._store, self._ledger, self._name, self._requests = store, ledger, name, requests
        self._listed = self._other = self._moved = Stored()
        self._still = bytearray()
        """Ids of uploads that had not moved when they were compared, 16 bytes each: there may be millions."""
        self._differing: dict[ListedUpload, Stored] = {}

    async def reconcile(self, counted: Stored) -> Reconciliation | None:
        cuts = await self._ledger.cuts(self._requests * RANGES_EACH)
        bounds = ["", *(UploadKeys(*cut).prefix for cut in cuts), ""]
        await self._at_once([_Range(*each) for each in pairwise(bounds)], self._list)
        moved = {_packed(upload_id): amount for upload_id, amount in (await self._ledger.moved()).items()}
        for upload_id in await asyncio.to_thread(self._still_among, moved.keys()):
            del moved[upload_id]  # it moved later, and was listed as it was counted
        differing = sum(self._differing.values(), Stored()) - await self._lasting()
        drift = self._listed - self._moved - differing - (counted - sum(moved.values(), Stored()))
        return await self._ledger.end_reconciliation(self._name, listed=self._listed, other=self._other, drift=drift)

    async def _list(self, keys: _Range) -> None:
        uploads: list[ListedUpload] = []
        objects = 0
        async with aclosing(self._uploads(keys)) as found:
            async for upload, count in found:
                objects += count
                uploads += [upload] if upload.stored.objects else []
                if len(uploads) >= AT_ONCE or objects >= 4 * AT_ONCE:
                    await self._compare(uploads, objects)
                    uploads, objects = [], 0
        await self._compare(uploads, objects)

    async def _uploads(self, keys: _Range) -> AsyncGenerator[tuple[ListedUpload, int], None]:
        """What is counted of one upload after the other, and how many objects were listed for that."""
        nobody = ListedUpload(TenantId(""), UploadId(""), Stored())
        current, count = nobody, 0
        source = self._store.list("", after=keys.after)
        try:
            async for stored in source:
                if keys.until and stored.key > keys.until:
                    break
                amount, of = Stored(stored.size, 1), counted_for(stored.key)
                if of is None:
                    self._other += amount
                else:
                    if of != current[:2]:
                        yield current, count
                        current, count = nobody._replace(tenant=of[0], upload_id=of[1]), 0
                    current = current._replace(stored=current.stored + amount)
                count += 1
                if count >= AT_ONCE and current is nobody:  # what nobody counts goes on and on
                    yield current, count
                    count = 0
        finally:
            await _closed(source)
        yield current, count

    async def _compare(self, uploads: Sequence[ListedUpload], objects: int) -> None:
        found = await self._ledger.compare(self._name, uploads, lease=LEASE, listed=objects)
        if found is None:
            raise _OverError
        for upload in uploads:
            self._listed += upload.stored
            if upload.upload_id in found.moved:
                self._moved += upload.stored
            else:
                self._still += _packed(upload.upload_id)
            if upload.upload_id in found.differing:
                self._differing[upload] = found.differing[upload.upload_id]

    def _still_among(self, ids: Container[bytes]) -> Sequence[bytes]:
        packed = (bytes(self._still[place : place + 16]) for place in range(0, len(self._still), 16))
        return [each for each in packed if each in ids]

    async def _lasting(self) -> Stored:
        """What differs, where nothing is expected to come or go, and does so when it is looked at again."""
        found: dict[UploadId, Stored] = {}

        async def look(some: Sequence[ListedUpload]) -> None:
            for upload in await self._unexpected(some):
                now = upload._replace(stored=await self._stored(upload))
                found.update({each.upload_id: by for each, by in (await self._unexpected([now])).items()})

        uploads = list(self._differing)
        await self._at_once([uploads[place : place + AT_ONCE] for place in range(0, len(uploads), AT_ONCE)], look)
        for upload_id, by in list(found.items())[:20]:
            _log.warning("usage_differs", upload_id=upload_id, bytes=by.size, objects=by.objects)
        return sum(found.values(), Stored())

    async def _unexpected(self, uploads: Sequence[ListedUpload]) -> dict[ListedUpload, Stored]:
        found = await self._ledger.compare(self._name, uploads, lease=LEASE, listed=0, settled=True)
        if found is None:
            raise _OverError
        return {each: found.differing[each.upload_id] for each in uploads if each.upload_id in found.differing}

    async def _stored(self, upload: ListedUpload) -> Stored:
        listing = self._store.list(UploadKeys(upload.tenant, upload.upload_id).prefix)
        return sum([Stored(each.size, 1) async for each in listing if counted_for(each.key)], Stored())

    async def _at_once(self, items: Sequence[_Item], act: Callable[[_Item], Awaitable[None]]) -> None:
        """Act on all, so many at a time as there may be requests; the first failure ends it."""
        left = iter(items)

        async def take() -> None:
            for item in left:
                await act(item)

        tasks = [asyncio.create_task(take()) for _ in range(self._requests)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _closed(source: AsyncIterator[object]) -> None:
    if isinstance(source, AsyncGenerator):
        await source.aclose()


def _packed(upload_id: UploadId) -> bytes:
    return uuid.UUID(upload_id).bytes
