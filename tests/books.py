"""Whether what is recorded, stored and counted of a tenant is what came in, once each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from mediafleet_core.events import Cursor, StateChanged
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.object_keys import ROOT, UploadKeys
from mediafleet_core.ports import ObjectStore, UploadFilter
from mediafleet_core.uploads import State, Upload
from mediafleet_core.usage import Stored
from tests.fleet import Fleet
from tests.waiting import eventually

_PAGE = 200


async def uploads_of(ledger: RedisLedger, tenant: TenantId) -> list[Upload]:
    """Every record."""
    found: list[Upload] = []
    after = ""
    while True:
        page = await ledger.list(tenant, UploadFilter(), limit=_PAGE, after=after)
        found += page.uploads
        after = page.next_after
        if not after:
            return found


async def ends(ledger: RedisLedger, tenant: TenantId, since: Cursor) -> Counter[tuple[UploadId, State]]:
    """How often each upload came to an end, as watchers were told."""
    told: Counter[tuple[UploadId, State]] = Counter()
    while rows := await ledger.read(since, limit=1000):
        since = rows[-1][0]
        told.update(
            (entry.upload_id, entry.state)
            for _, entry in rows
            if isinstance(entry, StateChanged) and entry.tenant == tenant and entry.state.terminal
        )
    return told


async def check_books(
    fleet: Fleet,
    ledger: RedisLedger,
    store: ObjectStore,
    tenant: TenantId,
    acknowledged: Collection[str],
    since: Cursor,
    patience: float = 100,
) -> list[Upload]:
    """Once there is nothing left to do: the records, each SUCCEEDED once, with one object set and its bytes in usage.

    `acknowledged` are the ids that callers were given; `since` is a place in the log before the first of them.
    """

    async def idle() -> bool:
        return not await fleet.work_left()

    await eventually(idle, patience, "all work to be done")
    uploads = await uploads_of(ledger, tenant)
    assert {upload.upload_id for upload in uploads} == set(acknowledged)
    assert {upload.state for upload in uploads} == {State.SUCCEEDED}, [
        upload for upload in uploads if upload.state is not State.SUCCEEDED
    ]
    assert await ends(ledger, tenant, since) == Counter((upload.upload_id, State.SUCCEEDED) for upload in uploads)

    made = [rendition for upload in uploads for rendition in upload.renditions]
    named = {upload.original_key for upload in uploads} | {rendition.key for rendition in made}
    named |= {f"{UploadKeys(tenant, upload.upload_id).prefix}manifest.json" for upload in uploads}

    async def clean() -> bool:
        return {stored.key async for stored in store.list(f"{ROOT}{tenant}/")} == named

    await eventually(clean, patience, "one object set each")
    usage = await ledger.usage(tenant)
    size = sum(upload.size_bytes or 0 for upload in uploads) + sum(rendition.size_bytes for rendition in made)
    assert (usage.total, usage.reserved_bytes) == (Stored(size, len(uploads) + len(made)), 0)
    return uploads
