"""Removing objects that no record names any more. Every function may be repeated."""

from __future__ import annotations

from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.ports import Ledger, ObjectStore, Sweep


async def sweep(store: ObjectStore, ledger: Ledger, planned: Sweep) -> None:
    """Abort multiparts and delete everything below the prefix; then tell the ledger.

    Originals go first and the manifest last, so that after a crash half-way the manifest still says "deleted".
    """
    if planned.multipart_id:
        await store.abort_multipart(planned.multipart_key, planned.multipart_id)
    await _abort_below(store, planned.prefix)
    keys = [stored.key async for stored in store.list(planned.prefix)]
    originals = [key for key in keys if UploadKeys.is_original(key)]
    manifests = [key for key in keys if UploadKeys.is_manifest(key)]
    others = sorted(set(keys).difference(originals, manifests))
    for stage in (originals, others, manifests):
        if stage:
            await store.delete(stage)
    await ledger.swept(planned)


async def drop_leftovers(store: ObjectStore, keys: UploadKeys, original_key: str) -> None:
    """Delete what earlier writers of a finished upload left: tails, originals that no record names, multiparts."""
    for prefix in (keys.originals, keys.tails):
        await _abort_below(store, prefix)
        if left := [stored.key async for stored in store.list(prefix) if stored.key != original_key]:
            await store.delete(left)


async def _abort_below(store: ObjectStore, prefix: str) -> None:
    for key, multipart_id in [found async for found in store.list_multiparts(prefix)]:
        await store.abort_multipart(key, multipart_id)
