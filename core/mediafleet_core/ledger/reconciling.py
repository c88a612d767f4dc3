"""Steps of reconciling the counters with the bucket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.ledger import records
from mediafleet_core.ledger.base import milliseconds
from mediafleet_core.ledger.reading import Reading
from mediafleet_core.ports import Compared, ListedUpload
from mediafleet_core.usage import Reconciliation, ReconciliationProgress, ReconciliationStatus, Stored


class ReconcilingSteps(Reading):
    """See `ports.UsageLedger` for what each step promises."""

    async def reconciliation(self) -> ReconciliationStatus:
        """The latest reconciliation, and the one under way."""
        keys = map(self._connection.key, ("reconciliation", "reconciling"))
        latest, told = await asyncio.gather(*(self._connection.call("HGETALL", key) for key in keys))
        running, progress = records.pairs(told), None
        if "began" in running:  # else it ended while its progress was noted
            listed, expected = int(running["listed"]), int(running["expected"])
            progress = ReconciliationProgress(records.at(running["began"]), listed, expected)
        return ReconciliationStatus(_reconciliation(records.pairs(latest)), progress)

    async def want_reconciliation(self, *, patient: bool = False) -> datetime:
        """Have the bucket reconciled."""
        return records.at((await self._connection.run("want_reconciliation", patient=patient)).detail)

    async def cuts(self, count: int) -> Sequence[tuple[TenantId, UploadId]]:
        """Uploads that cut all of them in ranges of about equal length."""
        tenants = sorted(await self.tenants(), key=lambda tenant: f"{tenant}/")
        indexes = [self._connection.key(f"idx:{tenant}:all") for tenant in tenants]
        async with self._connection.guarded() as redis:
            asked = redis.pipeline(transaction=False)
            for index in indexes:
                asked.zcard(index)
            sizes: Sequence[int] = await asked.execute()
            total, passed, places = sum(sizes), 0, []
            for tenant, index, size in zip(tenants, indexes, sizes, strict=True):
                ranks = {total * number // count for number in range(1, count)}
                for rank in sorted(rank - passed for rank in ranks if passed <= rank < passed + size):
                    asked.zrange(index, rank, rank)
                    places.append(tenant)
                passed += size
            found: Sequence[Sequence[UploadId]] = await asked.execute()
        return [(tenant, ids[0]) for tenant, ids in zip(places, found, strict=True) if ids]

    async def begin_reconciliation(
        self, run: str, *, lease: timedelta, every: timedelta, again: timedelta
    ) -> Stored | None:
        """Begin, if one is due."""
        spans = {name: milliseconds(span) for name, span in (("lease", lease), ("every", every), ("again", again))}
        reply = await self._connection.run("begin_reconciliation", run=run, **spans)
        return Stored(*map(int, reply.detail.split())) if reply.status == "OK" else None

    async def compare(
        self, run: str, uploads: Sequence[ListedUpload], *, lease: timedelta, listed: int, settled: bool = False
    ) -> Compared | None:
        """Compare uploads with their records."""
        reply = await self._connection.run(
            "compare",
            run=run,
            uploads=[[upload.upload_id, *upload.stored] for upload in uploads],
            lease=milliseconds(lease),
            listed=listed,
            settled=settled,
        )
        if reply.status != "OK":
            return None
        moved: set[UploadId] = set()
        differing: dict[UploadId, Stored] = {}
        for row in reply.extra:
            upload_id, *more = msgspec.json.decode(row, type=list[str])
            if more:
                differing[UploadId(upload_id)] = Stored(*map(int, more))
            else:
                moved.add(UploadId(upload_id))
        return Compared(frozenset(moved), differing)

    async def moved(self) -> Mapping[UploadId, Stored]:
        """What was counted before it moved."""
        async with self._connection.guarded() as redis:
            rows: Mapping[str, str] = await redis.hgetall(self._connection.key("moved"))
        return {UploadId(upload_id): Stored(*map(int, row.split())) for upload_id, row in rows.items()}

    async def end_reconciliation(
        self, run: str, *, listed: Stored, other: Stored, drift: Stored
    ) -> Reconciliation | None:
        """Keep the result."""
        fields: list[str] = []
        for name, amount in (("listed", listed), ("other", other), ("drift", drift)):
            fields += [f"{name}_size", str(amount.size), f"{name}_objects", str(amount.objects)]
        reply = await self._connection.run("end_reconciliation", run=run, fields=fields)
        return _reconciliation(records.pairs(reply.extra)) if reply.status == "OK" else None

    async def give_up_reconciliation(self, run: str) -> None:
        """Without a result."""
        await self._connection.run("end_reconciliation", run=run)


def _reconciliation(fields: records.Fields) -> Reconciliation | None:
    if "time" not in fields:
        return None

    def amount(name: str) -> Stored:
        return Stored(int(fields[f"{name}_size"]), int(fields[f"{name}_objects"]))

    return Reconciliation(
        began=records.at(fields["began"]),
        time=records.at(fields["time"]),
        listed=amount("listed"),
        other=amount("other"),
        drift=amount("drift"),
        counted=amount("counted"),
    )
