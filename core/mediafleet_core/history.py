"""Archiving what is over: records become lines of JSON in the bucket, and only then leave the ledger.

A line may come twice, when whoever archives dies in between; id and revision tell.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import google_crc32c
import msgspec

from mediafleet_core import object_keys
from mediafleet_core.batches import Batch
from mediafleet_core.identity import TenantId
from mediafleet_core.ports import HistoryLedger, ObjectStore, Retention
from mediafleet_core.uploads import Upload

SCHEMA = 1
"""Raised when a field changes its meaning; new optional fields do not raise it."""

PAGE = 500
"""Records of one file."""

MOST_PAGES = 20
"""Files that one call writes of a tenant; the next one goes on."""


class ArchivedUpload(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `archive/<tenant>/uploads/`: the record as it last was."""

    schema: int = SCHEMA
    upload: Upload


class ArchivedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `archive/<tenant>/batches/`: the record as it last was."""

    schema: int = SCHEMA
    batch: Batch


class Pruned(NamedTuple):
    """How many records left the ledger."""

    uploads: int
    batches: int


async def prune(
    store: ObjectStore, ledger: HistoryLedger, tenant: TenantId, retention: Retention, now: datetime
) -> Pruned:
    """Archive and remove what ended longer ago than the tenant's history is kept. May be repeated, and run twice."""
    before = now - timedelta(days=retention.days)
    uploads = batches = 0
    for _ in range(MOST_PAGES):
        old = await ledger.old_uploads(tenant, before, limit=PAGE)
        if old:
            lines = [ArchivedUpload(upload=upload) for upload in old]
            await _write(store, tenant, "uploads", old[0].upload_id, lines)
        for upload in old:
            uploads += await ledger.prune_upload(upload, objects=retention.objects)
        if len(old) < PAGE:
            break
    for _ in range(MOST_PAGES):
        ended = await ledger.old_batches(tenant, before, limit=PAGE)
        if ended:
            await _write(store, tenant, "batches", ended[0].batch_id, [ArchivedBatch(batch=batch) for batch in ended])
        for batch in ended:
            batches += await ledger.prune_batch(batch)
        if len(ended) < PAGE:
            break
    return Pruned(uploads, batches)


async def _write(
    store: ObjectStore, tenant: TenantId, what: str, first: str, lines: Sequence[ArchivedUpload | ArchivedBatch]
) -> None:
    content = msgspec.json.Encoder(order="deterministic").encode_lines(lines)
    # The content is in the name: the same lines are the same file, and other lines never replace them.
    name = f"{first}-{hashlib.sha256(content).hexdigest()[:16]}"
    key = object_keys.archive(tenant, what, datetime.now(UTC).date(), name)
    await store.put(key, [content], crc32c=google_crc32c.value(content), content_type="application/x-ndjson")
