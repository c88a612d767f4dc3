"""What is stored, what it was, and the operations that it took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice

from mediafleet_core.identity import TenantId
from mediafleet_core.ledger import records
from mediafleet_core.ledger.base import milliseconds
from mediafleet_core.ledger.reading import Reading
from mediafleet_core.media_types import MediaKind
from mediafleet_core.usage import Granularity, Operations, Stored, Usage, UsageHistory, UsagePoint

TENANTS_AT_ONCE = 20
"""Tenants that one step samples."""


class UsageSteps(Reading):
    """See `ports.UsageLedger` for what each step promises."""

    async def usage(self, tenant: TenantId | None, collection: str = "") -> Usage:
        """The counters of now."""
        key = f"usage:{_scope(tenant, collection)}" if tenant else "usage"
        fields = records.pairs(await self._connection.call("HGETALL", self._connection.key(key)))

        found = Usage(
            originals={kind: records.stored(fields, f"o:{kind}") for kind in MediaKind},
            renditions={kind: records.stored(fields, f"r:{kind}") for kind in MediaKind},
            collections={},
            reserved_bytes=int(fields.get("reserved", 0)),
            as_of=datetime.now(UTC),
        )
        if not tenant or collection:
            return found
        names = [field[2 : -len(":size")] for field in fields if field.startswith("c:") and field.endswith(":size")]
        collections = {name: records.stored(fields, f"c:{name}") for name in names}
        collections[""] = found.total - sum(collections.values(), Stored())
        largest = sorted((name for name, held in collections.items() if held.objects), key=collections.__getitem__)
        return found._replace(collections={name: collections[name] for name in reversed(largest)})

    async def count_operations(self, counts: Mapping[TenantId, Operations], *, op: str) -> None:
        """Add operations to those of the current steps of time."""
        rows = [[tenant, *operations] for tenant, operations in counts.items()]
        await self._connection.run("count_operations", counts=rows, steps=_steps(datetime.now(UTC)), op=op)

    async def operations(self, tenant: TenantId | None) -> Operations:
        """Operations in the current calendar month."""
        month = Granularity.MONTH.start(datetime.now(UTC))
        return _counts(await self._connection.call("HMGET", *self._counted(tenant, Granularity.MONTH, month)))

    async def sample_usage(self) -> None:
        """Keep what is stored now as the end of the current steps of time."""
        steps, tenants = _steps(datetime.now(UTC)), iter(await self.tenants())
        await self._connection.run("sample_usage", bucket=True, tenants=[], steps=steps)
        while some := list(islice(tenants, TENANTS_AT_ONCE)):
            await self._connection.run("sample_usage", tenants=some, steps=steps)

    async def usage_history(
        self,
        tenant: TenantId | None,
        collection: str,
        granularity: Granularity,
        start: datetime,
        end: datetime,
        *,
        limit: int,
    ) -> UsageHistory:
        """Steps of the past, from what was sampled."""
        now = datetime.now(UTC)
        key = self._connection.key(f"trend:{granularity}:{_scope(tenant, collection)}")
        current = granularity.start(now)
        low, high = max(start, now - granularity.kept), min(end, now)
        if start >= high:  # also where no step follows it in any calendar
            return UsageHistory((), None)
        async with self._connection.guarded() as redis:
            known: Sequence[tuple[str, float]] = await redis.zrange(key, 0, 0, withscores=True)
            first = records.at(int(known[0][1])) if known else current
            step = granularity.start(max(low, first))
            if step < start:
                step = granularity.next(step)
            steps: list[datetime] = []
            while step < high and len(steps) <= limit:
                steps.append(step)
                step = granularity.next(step)
            steps, more = steps[:limit], steps[limit:]
            if not steps:
                return UsageHistory((), None)
            asked = redis.pipeline(transaction=False)
            asked.zrevrangebyscore(key, f"({_milliseconds(steps[0])}", "-inf", start=0, num=1)
            asked.zrangebyscore(key, _milliseconds(steps[0]), _milliseconds(steps[-1]))
            before, sampled = await asked.execute()
        points = {at: (originals, renditions) for at, originals, renditions in map(_point, sampled)}
        if steps[-1] == current:
            usage = await self.usage(tenant, collection)
            points[current] = (sum(usage.originals.values(), Stored()), sum(usage.renditions.values(), Stored()))
        held = _point(before[0])[1:] if before else (Stored(), Stored())
        none: list[Operations] = [Operations()] * len(steps)
        operations = none if collection else await self._operations(tenant, granularity, steps)
        found = []
        for at, during in zip(steps, operations, strict=True):
            held = points.get(at, held)
            found.append(UsagePoint(at, *held, during))
        return UsageHistory(tuple(found), more[0] if more else None)

    async def _operations(
        self, tenant: TenantId | None, granularity: Granularity, starts: Iterable[datetime]
    ) -> Sequence[Operations]:
        async with self._connection.guarded() as redis:
            asked = redis.pipeline(transaction=False)
            for start in starts:
                key, *fields = self._counted(tenant, granularity, start)
                asked.hmget(key, fields)
            return [_counts(row) for row in await asked.execute()]

    def _counted(self, tenant: TenantId | None, granularity: Granularity, start: datetime) -> Sequence[str]:
        """Where operations are counted: a key and its fields."""
        key = self._connection.key(f"operations:{granularity}:{_milliseconds(start)}")
        return key, f"{tenant or ''}:A", f"{tenant or ''}:B"


def _scope(tenant: TenantId | None, collection: str) -> str:
    return f"{tenant or ''}/{collection}" if collection else tenant or ""


def _steps(now: datetime) -> Sequence[Mapping[str, object]]:
    """The steps of time that it is in, for scripts."""
    return [
        {
            "name": granularity,
            "start": _milliseconds(granularity.start(now)),
            "kept": milliseconds(granularity.kept),
        }
        for granularity in Granularity
    ]


def _counts(row: Sequence[str | None]) -> Operations:
    return Operations(*(int(count or 0) for count in row))


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def _point(text: str) -> tuple[datetime, Stored, Stored]:
    start, *amounts = map(int, text.split())
    return records.at(start), Stored(*amounts[:2]), Stored(*amounts[2:])
