"""Short ways to bring an upload into a state, for tests that are about something else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from mediafleet_core.failures import AttemptRecord, FailureCode
from mediafleet_core.identity import TenantId, new_upload_id
from mediafleet_core.ledger import LedgerSettings, RedisLedger, connect
from mediafleet_core.media_types import MediaKind
from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.ports import AttemptFailed, Claim, Original, Outcome
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import Checksums, Rendition, Upload, UploadSpec

ANN, BOB = TenantId("ann"), TenantId("bob")
LIMITS = Limits()
DAY = timedelta(days=1)
LEASE = timedelta(seconds=30)
NOW = timedelta()
SHORTEST = timedelta(microseconds=1)
"""The shortest time that a setting may be: none, for the ledger."""
SPEC = UploadSpec(display_name="a.jpg", content_type="image/jpeg", size_bytes=1000, collection="trip", caption="c")


@asynccontextmanager
async def ledger_at(redis_url: str) -> AsyncIterator[RedisLedger]:
    """The ledger on this Redis, beside those of the processes under test."""
    ledger = await connect(LedgerSettings(ledger_url=redis_url))
    try:
        yield ledger
    finally:
        await ledger.close()


async def created(
    ledger: RedisLedger, spec: UploadSpec = SPEC, tenant: TenantId = ANN, expires_in: timedelta = DAY
) -> Upload:
    """An upload that is RECEIVING."""
    return (await ledger.create(new_upload_id(), tenant, spec, limits=LIMITS, expires_in=expires_in)).upload


async def queued(
    ledger: RedisLedger, spec: UploadSpec = SPEC, tenant: TenantId = ANN, limits: Limits = LIMITS
) -> Upload:
    """An upload that is QUEUED."""
    upload = await created(ledger, spec, tenant)
    session = await ledger.open_write(upload.upload_id, tenant, 0)
    return await finished(ledger, upload, session.fence, limits=limits)


async def finished(
    ledger: RedisLedger, upload: Upload, fence: int, op: str | None = None, limits: Limits = LIMITS
) -> Upload:
    """The upload after its original became durable."""
    key = UploadKeys(upload.tenant, upload.upload_id).original(fence)
    original = Original(key, upload.spec.size_bytes or 1000, 7)
    return await ledger.finish(upload.upload_id, fence, original, limits=limits, max_attempts=3, op=op)


async def claimed(ledger: RedisLedger, lease: timedelta = LEASE) -> Claim:
    """The next image to work on."""
    claim = await ledger.claim([MediaKind.IMAGE], "w", lease)
    assert claim is not None
    return claim


def outcome(kind: MediaKind = MediaKind.IMAGE) -> Outcome:
    """A result with one rendition of ten bytes."""
    small = Rendition(name="small", key="k", content_type="image/jpeg", size_bytes=10, sha256="00", width=1, height=1)
    return Outcome(kind, "image/jpeg", Checksums(sha256="ab" * 32), (small,), None, ())


def failed(code: FailureCode, attempts: int, backoff: timedelta = NOW, *, discard: bool = False) -> AttemptFailed:
    """An attempt that ended with `code`."""
    record = AttemptRecord(time=datetime.now(UTC), code=code, worker="w", stage="process")
    return AttemptFailed(code, "process", "", record, attempts, backoff, discard)
