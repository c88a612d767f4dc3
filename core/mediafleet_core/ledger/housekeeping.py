"""Steps of housekeeping: what is due, what was lost, what is left to clean up."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

import msgspec

from mediafleet_core.failures import Failure, FailureCode
from mediafleet_core.identity import UploadId
from mediafleet_core.ledger import records
from mediafleet_core.ledger.base import milliseconds
from mediafleet_core.ledger.reading import Reading
from mediafleet_core.media_types import MediaKind
from mediafleet_core.object_keys import upload_of
from mediafleet_core.ports import Sweep, UnfinishedMultipart
from mediafleet_core.uploads import Upload

MANIFEST_GRACE_MS = 3_000
"""How long a worker has for the manifest of what it committed, before housekeeping writes it."""


class HousekeepingSteps(Reading):
    """What one leader does for everybody; see `ports.Ledger` for what each step promises."""

    async def lead(self, owner: str, lease: timedelta, *, job_lease: timedelta) -> bool:
        """Whether `owner` does the housekeeping for the next `lease`."""
        reply = await self._connection.run(
            "lead", owner=owner, lease=milliseconds(lease), job_lease=milliseconds(job_lease)
        )
        return reply.status == "OK"

    async def due(self) -> Collection[MediaKind]:
        """Kinds with work that may be done."""
        return [MediaKind(kind) for kind in (await self._connection.run("due", kinds=list(MediaKind))).extra]

    async def end_lost_leases(self, lease: timedelta) -> Sequence[Upload]:
        """Put jobs back whose lease has ended."""
        reply = await self._connection.run(
            "end_lost_leases", kinds=list(MediaKind), lease=milliseconds(lease), lost=records.lost_attempt()
        )
        return await self._many(reply.extra)

    async def expire(self, limit: int) -> Sequence[Upload]:
        """End uploads past their time; drop originals past their retention."""
        failure = Failure(code=FailureCode.EXPIRED_BEFORE_FINISH, stage="receiving")
        reply = await self._connection.run("expire", limit=limit, failure=records.to_json(failure))
        return await self._many(reply.extra)

    async def sweeps(self, limit: int, *, upload_id: UploadId | None = None) -> Sequence[Sweep]:
        """Sweeps that are due, or every one of an upload."""
        reply = await self._connection.run("sweeps", limit=limit, upload=upload_id)
        return [_sweep(token) for token in reply.extra]

    async def swept(self, sweep: Sweep) -> None:
        """The sweep ran."""
        await self._connection.run("swept", token=sweep.token)

    async def strays(self, unfinished: Sequence[UnfinishedMultipart]) -> Sequence[UnfinishedMultipart]:
        """Multiparts that no record names."""
        async with self._connection.guarded() as redis:
            records_asked = redis.pipeline(transaction=False)
            for found in unfinished:
                records_asked.hget(self._connection.key(f"u:{upload_of(found.key)}"), "multipart_id")
            named: list[str | None] = await records_asked.execute()
        return [found for found, known in zip(unfinished, named, strict=True) if found.multipart_id != known]

    async def manifests(self, limit: int) -> Sequence[Upload]:
        """Committed uploads that still lack their manifest."""
        reply = await self._connection.run("manifests", grace=MANIFEST_GRACE_MS, limit=limit)
        return await self._many(reply.extra)

    async def manifest_written(self, upload: Upload) -> None:
        """The manifest stands beside the bytes."""
        await self._connection.run("manifest_written", id=upload.upload_id, revision=upload.revision)


def _sweep(token: str) -> Sweep:
    _, _, *sweep = msgspec.json.decode(token, type=tuple[str, int, str, str, str, str])
    return Sweep(token, *sweep)
