"""What is over, on Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice

import msgspec

from mediafleet_core.batches import Batch, BatchState
from mediafleet_core.identity import TenantId
from mediafleet_core.ledger import records
from mediafleet_core.ledger.batches import BatchSteps
from mediafleet_core.ledger.reading import SCAN
from mediafleet_core.ports import BatchFilter, UploadFilter
from mediafleet_core.ports.history import Retention
from mediafleet_core.uploads import TERMINAL, State, Upload

_ENDED = frozenset(state for state in BatchState if state.terminal)


class HistorySteps(BatchSteps):
    """Uploads and batches that are over; see `ports.HistoryLedger` for what each step promises."""

    async def set_retention(self, retention: Mapping[TenantId, Retention]) -> None:
        """How long history is kept from here on."""
        key = self._connection.key("retention")
        async with self._connection.guarded() as redis:
            at_once = redis.pipeline(transaction=True)
            at_once.delete(key)
            if retention:
                at_once.hset(key, mapping={tenant: records.to_json(each) for tenant, each in retention.items()})
            await at_once.execute()

    async def retention(self) -> Mapping[TenantId, Retention]:
        """How long history is kept."""
        fields = records.pairs(await self._connection.call("HGETALL", self._connection.key("retention")))
        return {TenantId(tenant): msgspec.json.decode(text, type=Retention) for tenant, text in fields.items()}

    async def old_uploads(self, tenant: TenantId, before: datetime, *, limit: int) -> Sequence[Upload]:
        """Uploads that may be pruned."""
        found: list[Upload] = []
        for state in sorted(TERMINAL):
            # Whatever ended before a time was created before it: the index by creation leads there.
            which, after = UploadFilter(states=frozenset({state}), created_before=before), ""
            while len(found) < limit:
                page = await self.list(tenant, which, limit=SCAN, after=after, oldest_first=True)
                over = [each for each in page.uploads if each.finish_time and each.finish_time < before]
                found += await self._unneeded(over, before)
                after = page.next_after
                if not after:
                    break
        return found[:limit]

    async def prune_upload(self, upload: Upload, *, objects: bool) -> bool:
        """Remove the record."""
        reply = await self._connection.run(
            "prune_upload", id=upload.upload_id, revision=upload.revision, objects=objects or None
        )
        return reply.status == "OK"

    async def old_batches(self, tenant: TenantId, before: datetime, *, limit: int) -> Sequence[Batch]:
        """Batches that may be pruned."""
        found: list[Batch] = []
        which, after = BatchFilter(states=_ENDED, created_before=before), ""
        while len(found) < limit:
            page = await self.list_batches(tenant, which, limit=SCAN, after=after, oldest_first=True)
            over = [each for each in page.batches if each.finish_time and each.finish_time < before]
            async with self._connection.guarded() as redis:
                members = redis.pipeline(transaction=False)
                for batch in over:
                    members.exists(self._connection.key(f"idx:{tenant}:batch:{batch.batch_id}"))
                left: list[int] = await members.execute()
            found += [batch for batch, some in zip(over, left, strict=True) if not some]
            after = page.next_after
            if not after:
                break
        return found[:limit]

    async def prune_batch(self, batch: Batch) -> bool:
        """Remove the record."""
        reply = await self._connection.run("prune_batch", batch=batch.batch_id, revision=batch.revision)
        return reply.status == "OK"

    async def _unneeded(self, uploads: Sequence[Upload], before: datetime) -> Sequence[Upload]:
        """Those whose manifest is written and whose batch, if any, ended before this time."""
        async with self._connection.guarded() as redis:
            asked = redis.pipeline(transaction=False)
            for upload in uploads:
                asked.zscore(self._connection.key("manifests"), upload.upload_id)
                asked.hget(self._connection.key(f"batch:{upload.spec.batch_id}"), "finished")
            answers = iter(await asked.execute())
        free = []
        for upload in uploads:
            manifest_due, batch_ended = islice(answers, 2)
            in_use = upload.spec.batch_id and not (batch_ended and records.at(batch_ended) < before)
            if not in_use and not (upload.state is State.SUCCEEDED and manifest_due):
                free.append(upload)
        return free
