"""Every step of an upload's life, and what may go wrong there: the outcome is the same as if nothing had."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from mediafleet import AsyncClient
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core.identity import TenantId
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.object_keys import ROOT
from mediafleet_core.storage.local import LocalStore
from tests.chaos.cases import Case, cases_of, picture
from tests.chaos.fleet import PART, FaultyFleet
from tests.chaos.outcome import passes
from tests.chaos.points import POINTS, Fault, Sent, Side
from tests.chaos.sending import send_twice

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
    """Every day each point has one of the faults that cost no time, in turns, and some have one that does."""
    for turn, point in enumerate(POINTS):
        every = cases_of(point)
        quick = [case for case in every if case.fault in _QUICK]
        for case in every:
            slow = case.times == 1 and (point.name, case.fault, case.side) in _SLOW_BUT_DAILY
            yield case.param(daily=slow or case == quick[turn % len(quick)])


@pytest.mark.parametrize("case", list(cases()))
async def test_nothing_shows_of_a_fault(
    fleet: FaultyFleet, ledger: RedisLedger, store: LocalStore, tmp_path: Path, case: Case
) -> None:
    fleet.wait()
    tenant, file = TenantId(f"t{uuid4().hex}"), tmp_path / "picture.jpg"
    content = picture(file, _SIZES[case.point.sent])

    async def send(client: AsyncClient) -> pb.Upload:
        if case.point.sent is Sent.TWICE:
            return await send_twice(client, fleet.gateways, fleet.token(tenant), file, content[:_FIRST], 60)
        return await client.upload(file, wait=True, timeout=60)

    await passes(fleet, ledger, store, case, tenant, content, send)


async def test_nothing_is_left_behind_in_the_end(fleet: FaultyFleet, ledger: RedisLedger, store: LocalStore) -> None:
    assert {stored.key async for stored in store.list(ROOT)} == fleet.named
    assert [found async for found in store.list_multiparts(ROOT)] == []
