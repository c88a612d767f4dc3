"""One import's copy, under its own fence."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

from mediafleet_core import cleanup
from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.failures import FailureCode
from mediafleet_core.intake.ending import Ending
from mediafleet_core.intake.sending import content_type, metadata
from mediafleet_core.intake.turns import Turns
from mediafleet_core.intake.works import Works
from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.ports import Original, StoredObject
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import Upload

HOLD = timedelta(seconds=15)
"""How long a copy is left to a process that gives no sign of life."""

_BEAT = 2.0
"""Seconds between two signs."""

_GONE = {
    Reason.ORIGINAL_MISSING: (Reason.SOURCE_NOT_FOUND, "the object was deleted while it was imported"),
    Reason.SOURCE_CHANGED: (Reason.SOURCE_CHANGED, "the object was replaced while it was imported"),
}


class Copying:
    """Copies the source and queues the upload; holds it meanwhile, so that no other process copies it too."""

    def __init__(self, works: Works, upload: Upload, source: StoredObject, limits: Limits, turns: Turns) -> None:
        """`turns` bounds the copies that run at once; the others wait for theirs."""
        self._works, self._ledger, self._store = works, works.ledger, works.store
        self._upload, self._source, self._limits, self._turns = upload, source, limits, turns
        self._fence = self._bytes = 0

    async def run(self) -> None:
        """Nothing where another process is at it. Raises SOURCE_NOT_FOUND or SOURCE_CHANGED (it has FAILED),
        CONCURRENT_WRITER, UPLOAD_CANCELLED; STORAGE_UNAVAILABLE and the like leave it to the next who asks."""
        if not await self._hold():
            return
        key = UploadKeys(self._upload.tenant, self._upload.upload_id).original(self._fence)
        ending = Ending(self._works, self._upload, self._fence, self._limits)
        try:
            await self._while_held(asyncio.create_task(self._copy(key)))
        except MediafleetError as error:
            if error.reason in _GONE:
                reason, text = _GONE[error.reason]
                await ending.reject(FailureCode.ORIGINAL_MISSING, text)
                raise MediafleetError(reason, text) from error
            await self._let_go()
            raise
        except asyncio.CancelledError:
            await self._let_go()
            raise
        await self._works.detached.run(self._queue(key, ending))

    async def _copy(self, key: str) -> None:
        async with self._turns.place(self._upload.tenant, self._limits.weight):
            await self._store.copy(
                self._source,
                key,
                content_type=content_type(self._upload),
                metadata=metadata(self._upload),
                copied=self._moved,
            )

    def _moved(self, size: int) -> None:
        self._bytes = size

    async def _while_held(self, copying: asyncio.Task[None]) -> None:
        """Until it ends; it is stopped where the upload has ended or another process took over."""
        try:
            while not (await asyncio.wait({copying}, timeout=_BEAT))[0]:
                try:
                    await self._hold()
                except MediafleetError as error:
                    if error.reason is not Reason.LEDGER_UNAVAILABLE:
                        raise
            await copying
        finally:
            copying.cancel()
            await asyncio.gather(copying, return_exceptions=True)

    async def _hold(self, span: timedelta | None = None) -> bool:
        """Take it, or go on holding it; whether it is ours. Raises what `hold_import` raises."""
        session = await self._ledger.hold_import(
            self._upload.upload_id,
            self._upload.tenant,
            hold=HOLD if span is None else span,
            fence=self._fence,
            committed=self._bytes,
        )
        self._fence = session.fence
        return bool(session.fence)

    async def _let_go(self) -> None:
        with suppress(MediafleetError):
            await self._hold(timedelta(0))

    async def _queue(self, key: str, ending: Ending) -> None:
        # What the bytes are is found by the worker that reads them; nobody has yet.
        original = Original(key, self._source.size, None, self._upload.spec.checksums.sha256)
        try:
            await ending.queue(original)
        except MediafleetError as error:
            if error.reason is not Reason.LEDGER_UNAVAILABLE:
                with suppress(MediafleetError):  # else a sweep finds it
                    await self._store.delete([key])
            raise
        if self._fence > 1:
            await cleanup.sweep_upload(self._store, self._ledger, self._upload.upload_id)
