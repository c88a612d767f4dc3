"""Every step of an upload's life, and what may go wrong there: the outcome is the same as if nothing had."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from mediafleet import AsyncClient
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core.events import StateChanged
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.object_keys import ROOT, UploadKeys
from mediafleet_core.ports import UploadFilter
from mediafleet_core.processing import DEFAULT_SIZES
from mediafleet_core.storage.local import LocalStore
from mediafleet_core.uploads import State
from mediafleet_core.usage import Stored
from tests.chaos.fleet import PART, FaultyFleet
from tests.chaos.points import POINTS, Armed, Fault, Point, Port, Sent, Side
from tests.chaos.remedy import remedy
from tests.chaos.sending import send_twice
from tests.pictures import scene
from tests.waiting import eventually

_SIZES = {Sent.WHOLE: 0, Sent.PARTS: 2 * PART + 100_001, Sent.EVEN: 3 * PART, Sent.TWICE: 2 * PART + 100_001}
_FIRST = PART + 50_000
"""Bytes of the first of two streams."""


_QUICK = (Fault.THRICE, Fault.CUT)
_SLOW_BUT_DAILY = {
    ("complete multipart", Fault.KILL, Side.AFTER),
    ("finish", Fault.OUTAGE, Side.AFTER),
    ("commit", Fault.KILL, Side.BEFORE),
    ("commit", Fault.PAUSE, Side.AFTER),
}
"""Where most is at stake: an object that is made or an end that is decided, of which nobody has heard."""


def cases() -> Iterator[pytest.ParameterSet]:
    """Every fault on both sides of every point.

    A kill before a step also comes twice: it strikes whoever goes on with the work. Nobody rings a bell again. Every
    day each point has one of the faults that cost no time, in turns, and some have one that does.
    """
    for turn, point in enumerate(POINTS):
        every = [(fault, side, 1) for fault in point.faults for side in Side]
        quick = [case for case in every if case[0] in _QUICK]
        daily = {quick[turn % len(quick)], *(case for case in every if (point.name, *case[:2]) in _SLOW_BUT_DAILY)}
        again = [(Fault.KILL, Side.BEFORE, 2)] if point.port is not Port.BELLS else []
        for fault, side, times in (*every, *again):
            name = f"{point.name}-{fault}-{side}".replace(" ", "_") + "-twice" * (times - 1)
            marks = () if (fault, side, times) in daily else (pytest.mark.long,)
            yield pytest.param(point, fault, side, times, id=name, marks=marks)


def picture(path: Path, sent: Sent) -> bytes:
    """A file that nobody has sent before."""
    scene(160, 120).save(path)
    content = path.read_bytes()
    content += random.randbytes(max(32, _SIZES[sent] - len(content)))
    path.write_bytes(content)
    return content


@pytest.mark.parametrize(("point", "fault", "side", "times"), list(cases()))
async def test_nothing_shows_of_a_fault(
    fleet: FaultyFleet,
    ledger: RedisLedger,
    store: LocalStore,
    tmp_path: Path,
    point: Point,
    fault: Fault,
    side: Side,
    times: int,
) -> None:
    fleet.wait()
    tenant = TenantId(f"t{uuid4().hex}")
    content = picture(tmp_path / "picture.jpg", point.sent)
    start = await ledger.position()
    fleet.arm(Armed(point.name, side, fault), times)
    patience = 3 if fault is Fault.PAUSE else 60
    token, file = fleet.token(tenant), tmp_path / "picture.jpg"

    async def others_are_done() -> bool:
        uploads = (await ledger.list(tenant, UploadFilter(), limit=10)).uploads
        return any(upload.state.terminal for upload in uploads) and not await fleet.work_left()

    async with AsyncClient(targets=fleet.gateways, token=token, timeout=patience) as client:
        if point.sent is Sent.TWICE:
            sending = send_twice(client, fleet.gateways, token, file, content[:_FIRST], 60)
        else:
            sending = client.upload(file, wait=True, timeout=60)
        async with asyncio.TaskGroup() as both:
            uploading = both.create_task(sending)
            both.create_task(remedy(fleet, fault, times, others_are_done))
        done = uploading.result()
        assert done.state == pb.UPLOAD_STATE_SUCCEEDED
        assert [event.WhichOneof("event") async for event in client.watch(done.upload_id)] == ["snapshot"]

    # No second upload, no attempt counted, one end.
    upload = await ledger.get(UploadId(done.upload_id))
    assert (await ledger.list(tenant, UploadFilter(), limit=10)).total == 1
    assert (upload.state, upload.attempt, upload.max_attempts, upload.failure) == (State.SUCCEEDED, 1, 3, None)
    changes = [entry for _, entry in await ledger.read(start, limit=1000) if isinstance(entry, StateChanged)]
    assert [entry.state for entry in changes if entry.state.terminal] == [State.SUCCEEDED]
    assert {entry.upload_id for entry in changes} == {upload.upload_id}

    # One object set, once nothing is left to do, and accounts that say so.
    prefix = UploadKeys(tenant, upload.upload_id).prefix
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
    usage = await ledger.usage(tenant)
    size = len(content) + sum(made.size_bytes for made in upload.renditions)
    assert (usage.total, usage.reserved_bytes) == (Stored(size, 1 + len(upload.renditions)), 0)


async def test_nothing_is_left_behind_in_the_end(fleet: FaultyFleet, ledger: RedisLedger, store: LocalStore) -> None:
    assert {stored.key async for stored in store.list(ROOT)} == fleet.named
    assert [found async for found in store.list_multiparts(ROOT)] == []
