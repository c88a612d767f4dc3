"""Every step of housekeeping, and what may go wrong there: what was left undone is done, once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import NamedTuple
from uuid import uuid4

import google_crc32c
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from mediafleet_core.errors import MediafleetError
from mediafleet_core.events import StateChanged
from mediafleet_core.identity import TenantId
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.media_types import MediaKind
from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.ports import Original
from mediafleet_core.storage.local import LocalStore
from mediafleet_core.uploads import State, Upload, UploadSpec
from mediafleet_core.usage import Stored
from tests.chaos.fleet import FaultyFleet
from tests.chaos.points import CHORES, Armed, Fault, Point, Side
from tests.chaos.remedy import remedy
from tests.ledgers import LEASE, LIMITS, created, outcome
from tests.waiting import eventually

_CONTENT = b"a song" * 100


class Site(NamedTuple):
    """Where a chore is left, and by whom. No worker of the fleet takes up audio: the test itself does."""

    ledger: RedisLedger
    store: LocalStore
    tenant: TenantId
    redis_url: str

    async def create(self) -> Upload:
        """An upload that is RECEIVING."""
        spec = UploadSpec(display_name="a.mp3", size_bytes=len(_CONTENT))
        return await created(self.ledger, spec, self.tenant)

    async def put(self, key: str) -> None:
        """An object."""
        await self.store.put(key, [_CONTENT], crc32c=google_crc32c.value(_CONTENT))

    async def claim(self) -> tuple[Upload, int]:
        """An upload that is PROCESSING under a fence."""
        upload = await self.create()
        session = await self.ledger.open_write(upload.upload_id, self.tenant, 0)
        key = UploadKeys(self.tenant, upload.upload_id).original(session.fence)
        await self.put(key)
        original = Original(key, len(_CONTENT), google_crc32c.value(_CONTENT))
        await self.ledger.finish(upload.upload_id, session.fence, original, limits=LIMITS, max_attempts=3)
        claim = await self.ledger.claim([MediaKind.AUDIO], "a worker that dies", LEASE)
        assert claim is not None
        assert claim.upload.upload_id == upload.upload_id
        return claim.upload, claim.fence


async def abandoned(site: Site) -> Upload:
    """Its writer left a multipart and an object."""
    upload = await site.create()
    keys = UploadKeys(site.tenant, upload.upload_id)
    session = await site.ledger.open_write(upload.upload_id, site.tenant, 0)
    begun = await site.store.begin_multipart(keys.original(session.fence))
    await site.ledger.attach_multipart(upload.upload_id, session.fence, keys.original(session.fence), begun)
    await site.put(keys.tail(session.fence))
    async with Redis.from_url(site.redis_url) as client:
        await client.zadd("mf:expiry", {upload.upload_id: 0})  # a day is over
    return upload


async def lost(site: Site) -> Upload:
    """Its worker stored an object and fell silent."""
    upload, fence = await site.claim()
    await site.put(f"{UploadKeys(site.tenant, upload.upload_id).prefix}r/{fence}/small.jpg")
    await site.ledger.renew(upload.upload_id, fence, timedelta())
    return upload


async def without_manifest(site: Site) -> Upload:
    """Its worker died when it had committed."""
    upload, fence = await site.claim()
    done = await site.ledger.commit(upload.upload_id, fence, outcome(MediaKind.AUDIO)._replace(renditions=()))
    assert done is not None
    return done


class Chore(NamedTuple):
    """What is left to do, and what an upload has gone through when it is done; `objects` are kept of it."""

    leave: Callable[[Site], Awaitable[Upload]]
    states: list[State]
    objects: tuple[str, ...]


_EXPIRE = Chore(abandoned, [State.RECEIVING, State.EXPIRED], ())
_TAKE_BACK = Chore(lost, [State.RECEIVING, State.QUEUED, State.PROCESSING, State.QUEUED], ("o/1",))
_DOCUMENT = Chore(
    without_manifest, [State.RECEIVING, State.QUEUED, State.PROCESSING, State.SUCCEEDED], ("manifest.json", "o/1")
)
_CHORES = {
    "end lost lease": _TAKE_BACK,
    "put late manifest": _DOCUMENT,
    "note late manifest": _DOCUMENT,
}
_DAILY = ("expire", Fault.CUT, Side.AFTER)


def cases() -> Iterator[pytest.ParameterSet]:
    """Every fault on both sides of every step."""
    for point in CHORES:
        for fault in point.faults:
            for side in Side:
                marks = () if (point.name, fault, side) == _DAILY else (pytest.mark.long,)
                name = f"{point.name}-{fault}-{side}".replace(" ", "_")
                yield pytest.param(point, fault, side, id=name, marks=marks)


@pytest.mark.parametrize(("point", "fault", "side"), list(cases()))
async def test_what_was_left_undone_is_done_once(
    fleet: FaultyFleet, ledger: RedisLedger, store: LocalStore, point: Point, fault: Fault, side: Side
) -> None:
    fleet.wait()
    site = Site(ledger, store, TenantId(f"t{uuid4().hex}"), fleet.redis_url)
    chore = _CHORES.get(point.name, _EXPIRE)
    start = await ledger.position()
    fleet.arm(Armed(point.name, side, fault), 1)
    upload = await chore.leave(site)
    prefix = UploadKeys(site.tenant, upload.upload_id).prefix

    async def there() -> list[str]:
        unfinished = [found.key async for found in store.list_multiparts(prefix)]
        stored = [each.key async for each in store.list(prefix)]
        return sorted(key.removeprefix(prefix) for key in (*unfinished, *stored))

    async def done() -> bool:
        try:
            state = (await ledger.get(upload.upload_id)).state
            left = await fleet.sweeps_left() or await fleet.manifests_left()
        except (MediafleetError, RedisError):  # it is away, or loads what it has
            return False
        return state is chore.states[-1] and not left and await there() == list(chore.objects)

    try:
        await remedy(fleet, fault, 1, done)
        await eventually(done, message=f"{chore.objects} alone")
        entries = [entry for _, entry in await ledger.read(start, limit=1000)]
        assert [entry.state for entry in entries if isinstance(entry, StateChanged)] == chore.states
        kept = Stored(len(_CONTENT), 1) if chore.objects else Stored()
        usage = await ledger.usage(site.tenant)
        assert (usage.total, usage.reserved_bytes) == (kept, 0)
        if chore is _TAKE_BACK:
            again = await ledger.claim([MediaKind.AUDIO], "w", LEASE)
            assert again is not None
            assert (again.upload.upload_id, again.upload.attempt) == (upload.upload_id, 1)
    finally:  # nothing of it is in the way of the next case
        await ledger.delete(upload.upload_id, site.tenant)

    async def gone() -> bool:
        return not (await fleet.sweeps_left() or await fleet.work_left() or await there())

    await eventually(gone, message="the upload to be gone")
    assert (await ledger.usage(site.tenant)).total == Stored()
