"""Imports: objects that lie in the bucket already become originals, copied within the storage."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, aclosing, contextmanager
from datetime import datetime
from functools import partial
from typing import NamedTuple

import msgspec

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.identity import TenantId, UploadId, new_upload_id
from mediafleet_core.intake.copying import Copying
from mediafleet_core.intake.requesting import request_key
from mediafleet_core.intake.turns import Turns
from mediafleet_core.intake.works import Works
from mediafleet_core.media_types import declared_type, kind_of
from mediafleet_core.object_keys import imports
from mediafleet_core.ports import RequestKey, StoredObject
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import State, Transfer, Upload, UploadSpec

PATIENCE = 5.0
"""Seconds that a call waits for a copy, which goes on after that; the call may be made again."""

_LOOK_AGAIN = 0.1
"""Seconds between two looks at a copy that another process makes."""

_MOST_BEGUN = 256
"""Copies that wait or run in one process, the only ones of their tenants apart."""


class Importable(NamedTuple):
    """An object that may be imported: its key below the tenant's own prefix, size in bytes, ETag and time of change."""

    key: str
    size: int
    etag: str
    modified: datetime | None


class ImportablePage(NamedTuple):
    """Objects in key order; the next page begins behind `next_after`, which is "" on the last one."""

    objects: tuple[Importable, ...]
    next_after: str


class Imports:
    """What a tenant may import, and the copies that are under way in this process."""

    def __init__(self, works: Works) -> None:
        self._works, self._ledger, self._store = works, works.ledger, works.store
        self._turns = Turns(works.settings.imports_at_once)
        self._begun: dict[UploadId, asyncio.Task[None]] = {}
        self._of_tenant = Counter[TenantId]()

    async def list(self, tenant: TenantId, prefix: str, *, limit: int, after: str = "") -> ImportablePage:
        """At most `limit` objects whose keys begin with `prefix`, behind the key `after`; no markers of folders."""
        root, found = imports(tenant), list[Importable]()
        listing = self._store.list(root + prefix, after=root + after if after else "")
        async with aclosing(listing) as objects:  # type: ignore[type-var]  # a generator in every store
            async for stored in objects:
                if stored.key.endswith("/"):
                    continue
                found.append(Importable(stored.key.removeprefix(root), stored.size, stored.etag, stored.modified))
                if len(found) == limit:
                    return ImportablePage(tuple(found), found[-1].key)
        return ImportablePage(tuple(found), "")

    async def take(
        self, tenant: TenantId, spec: UploadSpec, key: str, etag: str, *, limits: Limits, request_id: str = ""
    ) -> Upload:
        """The upload made of an object; RECEIVING where copying takes long, and the same call made again waits on.

        `etag` is the object's as it was listed. Raises SOURCE_NOT_FOUND, SOURCE_CHANGED, what `Intake.create` raises,
        and RATE_LIMITED. Where the object goes or changes while it is copied, the upload has FAILED.
        """
        spec = msgspec.structs.replace(spec, transfer=Transfer.IMPORT, size_bytes=None)
        request = request_key("ImportUpload", request_id, (spec, key, etag))
        source = StoredObject(imports(tenant) + key, 0, etag)
        upload = None
        if request:
            upload = await self._ledger.check_create(tenant, spec, limits=limits, request=request)
        if upload is None or self._not_begun(upload):
            with ExitStack() as room:
                room.enter_context(self._room(tenant, limits))  # at first: what is refused leaves no upload behind
                upload = upload or await self._created(tenant, spec, source, limits, request)
                if self._not_begun(upload):  # else another call for it was faster
                    self._begin(upload, source, limits, room.pop_all())
        return await self._copied(upload) if upload.state is State.RECEIVING else upload

    async def close(self) -> None:
        """Stop the copies: another process goes on with an upload when it is asked to."""
        for task in self._begun.values():
            task.cancel()
        await asyncio.gather(*self._begun.values(), return_exceptions=True)

    async def _looked_at(self, source: StoredObject) -> StoredObject:
        found = await self._store.head(source.key)
        if found is None:
            raise MediafleetError(Reason.SOURCE_NOT_FOUND, "there is no such object to import")
        if found.etag != source.etag:
            raise MediafleetError(Reason.SOURCE_CHANGED, "the object has changed since it was listed")
        return found

    async def _created(
        self, tenant: TenantId, spec: UploadSpec, source: StoredObject, limits: Limits, request: RequestKey | None
    ) -> Upload:
        declared = declared_type(spec.content_type, spec.display_name)
        limits.check_type(declared)
        sized = msgspec.structs.replace(spec, size_bytes=(await self._looked_at(source)).size)
        limits.check_size(kind_of(declared), sized.size_bytes or 0)
        expires_in = self._works.settings.upload_expiry
        session = await self._ledger.create(
            new_upload_id(), tenant, sized, limits=limits, request=request, expires_in=expires_in
        )
        return session.upload

    async def _copied(self, upload: Upload) -> Upload:
        """The upload when its copy ends, or as it is when that takes too long."""
        upload_id, tenant = upload.upload_id, upload.tenant
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.shield(self._begun[upload_id])  # which ends at once where another process copies it
                return await self._received(upload_id, tenant)
        except TimeoutError:
            pass
        except MediafleetError as error:
            if error.reason is not Reason.CONCURRENT_WRITER:  # another process was faster
                raise
        return await self._ledger.get(upload_id, tenant)

    async def _received(self, upload_id: UploadId, tenant: TenantId) -> Upload:
        """The upload once its bytes are here, or will not be, whoever copies them."""
        while True:
            upload = await self._ledger.get(upload_id, tenant)
            if upload.state is not State.RECEIVING:
                return upload
            await asyncio.sleep(_LOOK_AGAIN)

    def _not_begun(self, upload: Upload) -> bool:
        return upload.state is State.RECEIVING and upload.upload_id not in self._begun

    def _begin(self, upload: Upload, source: StoredObject, limits: Limits, room: ExitStack) -> None:
        """The copy keeps the room until it ends."""
        sized = source._replace(size=upload.size_bytes or 0)
        copying = Copying(self._works, upload, sized, limits, self._turns)
        copy = self._begun[upload.upload_id] = asyncio.create_task(copying.run())
        copy.add_done_callback(partial(self._ended, upload.upload_id, room))

    @contextmanager
    def _room(self, tenant: TenantId, limits: Limits) -> Iterator[None]:
        """Room for one copy more. It outlives the call that began it, so the limit of the tenant's calls does not
        hold it. Raises RATE_LIMITED; a tenant that has none gets in however many others have."""
        own = self._of_tenant[tenant]
        if own >= limits.concurrent_uploads or (own and self._of_tenant.total() >= _MOST_BEGUN):
            text = "too many imports are under way; try again after the delay"
            raise MediafleetError(Reason.RATE_LIMITED, text, retry_after=1.0)
        self._of_tenant[tenant] += 1
        try:
            yield
        finally:
            self._of_tenant -= Counter({tenant: 1})  # drops those that have none left

    def _ended(self, upload_id: UploadId, room: ExitStack, copy: asyncio.Task[None]) -> None:
        del self._begun[upload_id]
        room.close()
        if not copy.cancelled():
            copy.exception()  # for whoever still waits; where nobody does, the next call tries again
