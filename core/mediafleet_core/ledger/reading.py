"""Reading records and listings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from mediafleet_core.errors import upload_not_found
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.ledger import records
from mediafleet_core.ledger.base import LedgerBase
from mediafleet_core.ports import Page, UploadFilter
from mediafleet_core.uploads import Upload

SCAN = 200
"""Records read at once while a listing looks for rows."""

MOST_SCANNED = 5_000
"""Records that one page may look at; then it comes short, with a token that continues."""


Rows: TypeAlias = list[Upload]


class Reading(LedgerBase):
    """Reads; they change nothing and take no locks."""

    async def get(self, upload_id: UploadId, tenant: TenantId | None = None) -> Upload:
        """The record."""
        fields = records.pairs(await self._connection.call("HGETALL", self._connection.key(f"u:{upload_id}")))
        if not fields or tenant not in (None, fields["tenant"]):
            raise upload_not_found(upload_id)
        return records.upload(upload_id, fields)

    async def list(
        self, tenant: TenantId, which: UploadFilter, *, limit: int, after: str = "", oldest_first: bool = False
    ) -> Page:
        """A page in order of creation."""
        index, exact = await self._index(tenant, which)
        found: Rows = []
        scanned = 0
        while len(found) < limit and scanned < MOST_SCANNED:
            ids = await self._ids(index, which, after, oldest_first)
            if not ids:
                return Page(tuple(found), "", exact)
            for upload in await self._many(ids):
                after = upload.upload_id
                if which.covers(upload):
                    found.append(upload)
                    if len(found) == limit:
                        break
            scanned += len(ids)
            after = after if len(found) == limit else ids[-1]
        more = await self._ids(index, which, after, oldest_first, limit=1)
        return Page(tuple(found), after if more else "", exact)

    async def tenants(self) -> Sequence[TenantId]:
        """Every tenant that ever had an upload."""
        async with self._connection.guarded() as redis:
            return sorted(await redis.smembers(self._connection.key("tenants")))

    async def check(self) -> None:
        """Raise if the ledger does not answer."""
        async with self._connection.guarded() as redis:
            await redis.ping()

    async def _many(self, ids: Sequence[str]) -> Sequence[Upload]:
        if not ids:
            return []
        async with self._connection.guarded() as redis:
            pipeline = redis.pipeline(transaction=False)
            for upload_id in ids:
                pipeline.hgetall(self._connection.key(f"u:{upload_id}"))
            rows = await pipeline.execute()
        return [records.upload(upload_id, row) for upload_id, row in zip(ids, rows, strict=True) if row]

    async def _index(self, tenant: TenantId, which: UploadFilter) -> tuple[str, int]:
        """The smallest index that covers the filter, and its size: the total, or an upper bound of it."""
        names = [f"state:{state}" for state in which.states] if len(which.states) == 1 else []
        names += [f"kind:{kind}" for kind in which.kinds] if len(which.kinds) == 1 else []
        names += [f"collection:{which.collection}"] if which.collection else []
        names += [f"batch:{which.batch_id}"] if which.batch_id else []
        keys = [self._connection.key(f"idx:{tenant}:{name}") for name in names or ["all"]]
        low, high = id_bounds(which.created_from, which.created_before)
        async with self._connection.guarded() as redis:
            pipeline = redis.pipeline(transaction=False)
            for key in keys:
                pipeline.zlexcount(key, low, high)
            sizes: Sequence[int] = await pipeline.execute()
        size, key = min(zip(sizes, keys, strict=True))
        return key, size

    async def _ids(
        self, index: str, which: UploadFilter, after: str, oldest_first: bool, *, limit: int = SCAN
    ) -> Sequence[str]:
        low, high = id_bounds(which.created_from, which.created_before)
        async with self._connection.guarded() as redis:
            if oldest_first:
                low = f"({after}" if after else low
                ids: Sequence[str] = await redis.zrangebylex(index, low, high, start=0, num=limit)
            else:
                high = f"({after}" if after else high
                ids = await redis.zrevrangebylex(index, high, low, start=0, num=limit)
        return ids


def id_bounds(created_from: datetime | None, created_before: datetime | None) -> tuple[str, str]:
    """Lexical bounds of the ids that were created in a half-open range of time."""
    low = f"[{_first_id(created_from)}" if created_from else "-"
    high = f"({_first_id(created_before)}" if created_before else "+"
    return low, high


def _first_id(time: datetime) -> str:
    text = f"{max(0, int(time.timestamp() * 1000)):012x}"
    return f"{text[:8]}-{text[8:]}"
