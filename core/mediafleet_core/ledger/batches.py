"""Batches on Redis."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import msgspec

from mediafleet_core.batches import MOST_RUNNING, Batch, BatchChange, BatchSpec, BatchState, BatchView, Member
from mediafleet_core.errors import Reason, batch_not_found
from mediafleet_core.failures import Failure, FailureCode
from mediafleet_core.identity import BatchId, TenantId
from mediafleet_core.ledger import records
from mediafleet_core.ledger.base import milliseconds, new_op
from mediafleet_core.ledger.connection import Reply
from mediafleet_core.ledger.reading import MOST_SCANNED, SCAN, Reading, id_bounds
from mediafleet_core.ledger.refusals import check
from mediafleet_core.media_types import MediaKind
from mediafleet_core.ports import BatchFilter, BatchPage, RequestKey, Swept, UploadFilter
from mediafleet_core.uploads import State, Upload


class BatchSteps(Reading):
    """See `ports.BatchLedger` for what each step promises."""

    async def create_batch(
        self, batch_id: BatchId, tenant: TenantId, spec: BatchSpec, *, request: RequestKey | None = None
    ) -> Batch:
        """An OPEN batch."""
        reply = await self._connection.run(
            "create_batch",
            batch=batch_id,
            field={"tenant": tenant, "spec": records.to_json(spec), "collection": spec.collection},
            request=f"{tenant}:{request.method}:{request.request_id}" if request else None,
            digest=request.digest if request else None,
            op=new_op(),
        )
        return _batch(check(reply))

    async def seal_batch(self, batch_id: BatchId, tenant: TenantId) -> Batch:
        """OPEN -> SEALED."""
        return await self._step("seal_batch", batch_id, tenant)

    async def cancel_batch(self, batch_id: BatchId, tenant: TenantId, reason: str) -> Batch:
        """No member starts any more."""
        failure = Failure(code=FailureCode.CANCELLED_BY_CALLER, detail=reason)
        return await self._step("cancel_batch", batch_id, tenant, failure=records.to_json(failure))

    async def retry_batch(self, batch_id: BatchId, tenant: TenantId, *, max_attempts: int) -> Batch:
        """Failed members shall be tried again."""
        return await self._step("retry_batch", batch_id, tenant, max_attempts=max_attempts)

    async def sweep_batch(self, batch_id: BatchId, *, limit: int) -> Swept:
        """The next page of a cancel or retry."""
        reply = check(await self._connection.run("sweep_batch", batch=batch_id, limit=limit, op=new_op()))
        members, done = msgspec.json.decode(reply.detail, type=tuple[int, bool])
        return Swept(members, done, frozenset(MediaKind(kind) for kind in reply.extra))

    async def batch(self, batch_id: BatchId, tenant: TenantId) -> BatchView:
        """The batch as it is now."""
        reply = _found(await self._connection.run("batch", batch=batch_id, tenant=tenant, most=MOST_RUNNING), batch_id)
        now, count = msgspec.json.decode(reply.detail, type=tuple[int, int])
        rows = reply.extra[: len(reply.extra) - count]
        running = await self._many(reply.extra[len(rows) :])
        return BatchView(
            self._epoch,
            _batch(reply, now),
            tuple(map(_change, rows)),
            tuple(upload for upload in running if upload.state in (State.PROCESSING, State.CANCELLING)),
        )

    async def list_batches(
        self, tenant: TenantId, which: BatchFilter, *, limit: int, after: str = "", oldest_first: bool = False
    ) -> BatchPage:
        """A page in order of creation."""
        index = self._connection.key(f"idx:{tenant}:batches")
        low, high = id_bounds(which.created_from, which.created_before)
        found: list[Batch] = []
        scanned = 0
        async with self._connection.guarded() as redis:
            total: int = await redis.zlexcount(index, low, high)
            while True:
                if oldest_first:
                    ids = await redis.zrangebylex(index, f"({after}" if after else low, high, start=0, num=SCAN)
                else:
                    ids = await redis.zrevrangebylex(index, f"({after}" if after else high, low, start=0, num=SCAN)
                pipeline = redis.pipeline(transaction=False)
                for batch_id in ids:
                    pipeline.hgetall(self._connection.key(f"batch:{batch_id}"))
                for batch_id, fields in zip(ids, await pipeline.execute() if ids else (), strict=True):
                    after = batch_id
                    if fields and which.covers(batch := batch_record(BatchId(batch_id), fields)):
                        found.append(batch)
                        if len(found) == limit:
                            break
                scanned += len(ids)
                over = len(ids) < SCAN and (not ids or after == ids[-1])
                if over or len(found) == limit or scanned >= MOST_SCANNED:
                    return BatchPage(tuple(found), "" if over else after, total)

    async def members(self, batch_id: BatchId, tenant: TenantId) -> AsyncIterator[Member]:
        """Every member in order of creation."""
        _found(await self._connection.run("batch", batch=batch_id, tenant=tenant, most=MOST_RUNNING), batch_id)
        which, after = UploadFilter(batch_id=batch_id), ""
        while True:
            page = await self.list(tenant, which, limit=SCAN, after=after, oldest_first=True)
            rows = {upload.upload_id: Member(upload, deleted=False) for upload in page.uploads}
            # Read after the page: a member that is deleted meanwhile is in one of the two.
            for upload in await self._deleted(batch_id, after, page.next_after):
                rows[upload.upload_id] = Member(upload, deleted=True)
            for upload_id in sorted(rows):
                yield rows[upload_id]
            after = page.next_after
            if not after:
                return

    async def idle_batches(self, idle: timedelta, patience: timedelta, limit: int) -> Sequence[BatchId]:
        """Seal what is idle; find sweeps that nobody continues."""
        reply = await self._connection.run(
            "idle_batches", idle=milliseconds(idle), patience=milliseconds(patience), limit=limit
        )
        return [BatchId(batch_id) for batch_id in reply.extra]

    async def _step(self, script: str, batch_id: BatchId, tenant: TenantId, **arguments: object) -> Batch:
        reply = await self._connection.run(script, batch=batch_id, tenant=tenant, op=new_op(), **arguments)
        return _batch(_found(reply, batch_id))

    async def _deleted(self, batch_id: BatchId, after: str, last: str) -> Sequence[Upload]:
        """Deleted members behind `after`, up to `last` if that is given."""
        key = self._connection.key(f"batch:{batch_id}:deleted")
        async with self._connection.guarded() as redis:
            names: list[str] = await redis.hkeys(key)
            ids = [name for name in names if after < name and (not last or name <= last)]
            rows: list[str | None] = await redis.hmget(key, ids) if ids else []
        return [
            records.upload(upload_id, records.pairs(msgspec.json.decode(flat, type=list[str])))
            for upload_id, flat in zip(ids, rows, strict=True)
            if flat
        ]


def _found(reply: Reply, batch_id: BatchId) -> Reply:
    if reply.status == Reason.BATCH_NOT_FOUND:
        raise batch_not_found(batch_id)
    return check(reply)


def _batch(reply: Reply, now: int | None = None) -> Batch:
    return batch_record(BatchId(reply.id), records.pairs(reply.record), now)


def batch_record(batch_id: BatchId, fields: records.Fields, now: int | None = None) -> Batch:
    """The batch; `now` is the ledger's time in milliseconds, without it the rate is of the last known moments."""

    def moment(name: str) -> datetime | None:
        return records.at(fields[name]) if fields.get(name) else None

    return Batch(
        batch_id=batch_id,
        tenant=TenantId(fields["tenant"]),
        spec=msgspec.json.decode(fields["spec"], type=BatchSpec),
        state=BatchState(fields["state"]),
        counts={state: int(fields.get(f"in:{state}", 0)) for state in State},
        bytes_done=int(fields.get("bytes_done", 0)),
        bytes_total=int(fields.get("bytes_total", 0)),
        items_per_second=0.0 if fields.get("finished") else _rate(fields, now),
        create_time=records.at(fields["created"]),
        seal_time=moment("sealed"),
        finish_time=moment("finished"),
        revision=int(fields["rev"]),
        sequence=int(fields["seq"]),
    )


def _rate(fields: records.Fields, now: int | None) -> float:
    """Ends per second since the older of the two moments that the ledger remembers."""
    since, before = fields.get("t0") or fields.get("t1"), fields.get("n0") or fields.get("n1")
    if since is None or before is None:
        return 0.0
    milliseconds_since = (now if now is not None else time.time_ns() // 1_000_000) - int(since)
    return max(0, int(fields["ends"]) - int(before)) * 1000 / milliseconds_since if milliseconds_since > 0 else 0.0


def _change(row: str) -> BatchChange:
    sequence, previous, state, at = msgspec.json.decode(row, type=tuple[str, str, str, str])
    return BatchChange(int(sequence), BatchState(previous) if previous else None, BatchState(state), records.at(at))
