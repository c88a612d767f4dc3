"""An upload on whose way something goes wrong, and what must be of it when all is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from mediafleet import AsyncClient
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core.events import Cursor, StateChanged
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.ports import ObjectStore, UploadFilter
from mediafleet_core.processing import DEFAULT_SIZES
from mediafleet_core.uploads import State
from mediafleet_core.usage import Stored
from tests.chaos.cases import Case
from tests.chaos.fleet import FaultyFleet
from tests.chaos.points import Armed, Fault
from tests.chaos.remedy import remedy
from tests.waiting import eventually


async def passes(
    fleet: FaultyFleet,
    ledger: RedisLedger,
    store: ObjectStore,
    case: Case,
    tenant: TenantId,
    content: bytes,
    send: Callable[[AsyncClient], Coroutine[Any, Any, pb.Upload]],
) -> None:
    """The `content` that `send` makes a new tenant's only upload of, terminal, passes as if nothing had happened."""
    start = await ledger.position()
    fleet.arm(Armed(case.point.name, case.side, case.fault), case.times)
    patience = 3 if case.fault is Fault.PAUSE else 60

    async def others_are_done() -> bool:
        uploads = (await ledger.list(tenant, UploadFilter(), limit=10)).uploads
        return any(upload.state.terminal for upload in uploads) and not await fleet.work_left()

    async with AsyncClient(targets=fleet.gateways, token=fleet.token(tenant), timeout=patience) as client:
        async with asyncio.TaskGroup() as both:
            sending = both.create_task(send(client))
            both.create_task(remedy(fleet, case.fault, case.times, others_are_done))
        done = sending.result()
        assert done.state == pb.UPLOAD_STATE_SUCCEEDED
        assert [event.WhichOneof("event") async for event in client.watch(done.upload_id)] == ["snapshot"]
    await _is_one(ledger, tenant, UploadId(done.upload_id), start)
    await _is_whole(fleet, ledger, store, UploadId(done.upload_id), content)


async def _is_one(ledger: RedisLedger, tenant: TenantId, upload_id: UploadId, start: Cursor) -> None:
    """No second upload, no attempt counted, one end."""
    upload = await ledger.get(upload_id)
    assert (await ledger.list(tenant, UploadFilter(), limit=10)).total == 1
    assert (upload.state, upload.attempt, upload.max_attempts, upload.failure) == (State.SUCCEEDED, 1, 3, None)
    changes = [entry for _, entry in await ledger.read(start, limit=1000) if isinstance(entry, StateChanged)]
    assert [entry.state for entry in changes if entry.state.terminal] == [State.SUCCEEDED]
    assert {entry.upload_id for entry in changes} == {upload_id}


async def _is_whole(
    fleet: FaultyFleet, ledger: RedisLedger, store: ObjectStore, upload_id: UploadId, content: bytes
) -> None:
    """One object set, once nothing is left to do, and accounts that say so."""
    upload = await ledger.get(upload_id)
    prefix = UploadKeys(upload.tenant, upload_id).prefix
    named = {upload.original_key, *(made.key for made in upload.renditions), f"{prefix}manifest.json"}
    fleet.named |= named
    assert len(named) == 2 + len(DEFAULT_SIZES)

    async def there() -> set[str]:
        unfinished = {found.key async for found in store.list_multiparts(prefix)}
        return unfinished | {stored.key async for stored in store.list(prefix)}

    async def clean() -> bool:
        return not (await fleet.work_left() or await fleet.sweeps_left()) and await there() == named

    await eventually(clean, message=f"{named} alone")
    stored = b"".join([chunk async for chunk in store.read(upload.original_key)])
    assert stored == content
    usage = await ledger.usage(upload.tenant)
    size = len(content) + sum(made.size_bytes for made in upload.renditions)
    assert (usage.total, usage.reserved_bytes) == (Stored(size, 1 + len(upload.renditions)), 0)
