"""Removing objects that no record names any more. Every function may be repeated."""

from __future__ import annotations

from itertools import groupby

import structlog

from mediafleet_core.errors import MediafleetError
from mediafleet_core.identity import UploadId
from mediafleet_core.object_keys import deletion_rank
from mediafleet_core.ports import Ledger, ObjectStore, Sweep

_log = structlog.get_logger(__name__)

_SWEEPS_AT_ONCE = 100


async def sweep(store: ObjectStore, ledger: Ledger, planned: Sweep) -> None:
    """Abort multiparts and delete everything below the prefix but the key to keep; then tell the ledger.

    Originals go first and the manifest last, so that after a crash half-way the manifest still says "deleted".
    """
    if planned.multipart_id:
        await store.abort_multipart(planned.multipart_key, planned.multipart_id)
    await _abort_below(store, planned.prefix)
    left = [stored.key async for stored in store.list(planned.prefix) if stored.key != planned.keep]
    for _, stage in groupby(sorted(left, key=deletion_rank), key=deletion_rank):
        await store.delete(list(stage))
    await ledger.swept(planned)


async def sweep_upload(store: ObjectStore, ledger: Ledger, upload_id: UploadId) -> None:
    """Run every sweep planned for an upload, at once; what fails is logged and left to housekeeping."""
    try:
        for planned in await ledger.sweeps(_SWEEPS_AT_ONCE, upload_id=upload_id):
            await sweep(store, ledger, planned)
    except MediafleetError as error:
        _log.warning("sweep_postponed", upload_id=upload_id, reason=error.reason)


async def _abort_below(store: ObjectStore, prefix: str) -> None:
    for found in [found async for found in store.list_multiparts(prefix)]:
        await store.abort_multipart(found.key, found.multipart_id)
