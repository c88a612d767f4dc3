"""Gathers what ledger and storage know of one upload."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from mediafleet_core.batches import Batch
from mediafleet_core.errors import MediafleetError
from mediafleet_core.explaining.asker import Asker
from mediafleet_core.explaining.objects import ObjectFact, compared
from mediafleet_core.explaining.words import Words, told
from mediafleet_core.identity import UploadId
from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.ports import Ledger, ObjectStore, Standing, StoredObject

PATIENCE = 5.0
"""Seconds that the storage is given."""

MOST_OBJECTS = 1_000


class Explanation(NamedTuple):
    """All about one upload; `storage_message` says why objects are not known, "" if they are."""

    standing: Standing
    batch: Batch | None
    objects: tuple[ObjectFact, ...]
    multiparts: int
    storage_message: str
    words: Words


class Explaining:
    """Answers why an upload is where it is."""

    def __init__(self, ledger: Ledger, store: ObjectStore) -> None:
        """Reads alone."""
        self._ledger, self._store = ledger, store

    async def explain(self, upload_id: UploadId, asker: Asker) -> Explanation:
        """Raises UPLOAD_NOT_FOUND, also for another tenant's unless `asker` administers. Never for the storage."""
        standing = await self._ledger.standing(upload_id, None if asker.administers else asker.tenant)
        upload = standing.upload
        batch = await self._batch(standing)
        stored: Sequence[StoredObject] = ()
        multiparts, trouble = 0, ""
        try:
            async with asyncio.timeout(PATIENCE):
                stored, multiparts = await self._stored(UploadKeys(upload.tenant, upload.upload_id).prefix)
        except TimeoutError:
            trouble = f"the storage did not answer within {PATIENCE:g} s"
        except MediafleetError as error:
            trouble = error.message
        objects = () if trouble else compared(upload, stored)
        words = told(standing, batch, objects, trouble, asker)
        return Explanation(standing, batch, objects, multiparts, trouble, words)

    async def _batch(self, standing: Standing) -> Batch | None:
        batch_id = standing.upload.spec.batch_id
        if batch_id is None:
            return None
        try:
            return (await self._ledger.batch(batch_id, standing.upload.tenant)).batch
        except MediafleetError:
            return None  # archived, or deleted since

    async def _stored(self, prefix: str) -> tuple[Sequence[StoredObject], int]:
        found = []
        async for each in self._store.list(prefix):
            found.append(each)
            if len(found) == MOST_OBJECTS:
                break
        return found, len([each async for each in self._store.list_multiparts(prefix)])
