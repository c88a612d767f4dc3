"""Who gets in, and how long the others are asked to stay away."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack

import pytest
from prometheus_client import REGISTRY

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.identity import TenantId
from mediafleet_core.quotas import Limits
from mediafleet_gateway.admission import Admission, Room

ANN, BOB = TenantId("ann"), TenantId("bob")
TENANT = Limits(concurrent_uploads=2, bytes_in_flight=100)


def admission(uploads: int = 3, upload_bytes: int = 150) -> Admission:
    return Admission(uploads, upload_bytes, lambda _: TENANT, {"CreateUpload": 1})


def limit_met(attempt: AbstractContextManager[None]) -> str:
    """Which limit refuses; "" if none does."""
    try:
        with attempt:
            return ""
    except MediafleetError as error:
        refused = error
    assert refused.reason is Reason.RATE_LIMITED
    return refused.metadata["limit"]


def delay(room: Room) -> float:
    """Seconds that a refused caller is asked to stay away; 0 when it is not refused."""
    try:
        room.check()
    except MediafleetError as refused:
        return refused.retry_after or 0.0
    return 0.0


def test_a_tenant_has_so_many_uploads_and_the_process_has_so_many() -> None:
    gate = admission()
    with ExitStack() as inside:
        inside.enter_context(gate.upload(ANN, 1))
        inside.enter_context(gate.upload(ANN, 1))
        assert limit_met(gate.upload(ANN, 1)) == "tenant"
        inside.enter_context(gate.upload(BOB, 1))
        assert limit_met(gate.upload(BOB, 1)) == "gateway"
    assert limit_met(gate.upload(ANN, 1)) == ""


def test_bytes_in_flight_are_limited_but_one_upload_always_gets_in() -> None:
    gate = admission()
    with gate.upload(ANN, 90):
        assert limit_met(gate.upload(ANN, 20)) == "tenant"
        assert limit_met(gate.upload(ANN, 10)) == ""
        with gate.upload(BOB, 60):
            assert limit_met(gate.upload(ANN, 1)) == "gateway"
    assert limit_met(gate.upload(ANN, 1000)) == ""


def test_a_place_is_given_back_once_however_the_upload_ends() -> None:
    gate = admission(uploads=1)
    for end in (None, ValueError(), KeyboardInterrupt()):
        with pytest.raises(BaseException) if end else ExitStack(), gate.upload(ANN, 7):  # noqa: PT011
            assert REGISTRY.get_sample_value("mediafleet_uploads_in_flight") == 1
            assert REGISTRY.get_sample_value("mediafleet_upload_bytes_in_flight") == 7
            assert limit_met(gate.upload(BOB, 1)) == "gateway"
            if end:
                raise end
        assert REGISTRY.get_sample_value("mediafleet_uploads_in_flight") == 0
        assert REGISTRY.get_sample_value("mediafleet_upload_bytes_in_flight") == 0


def test_calls_of_a_method_are_counted_apart_from_uploads() -> None:
    gate = admission()
    with gate.call("CreateUpload"):
        assert limit_met(gate.call("CreateUpload")) == "CreateUpload"
        assert limit_met(gate.upload(ANN, 1)) == ""
    assert limit_met(gate.call("CreateUpload")) == ""


def test_the_delay_grows_with_the_line_and_never_beyond_patience() -> None:
    now = 0.0
    room = Room("room", 2, clock=lambda: now)
    with room.place(), room.place():
        now += 7.0
    with room.place(), room.place():
        delays = [delay(room) for _ in range(40)]
        early, late = delays[:2], delays[-10:]
        assert max(early) < min(late)
        assert max(delays) <= 30.0
        assert len(set(delays)) == len(delays), "clients would come back together"

        now += 31.0  # everybody in the line came back, or gave up
    with room.place(), room.place():
        assert 0 < delay(room) < min(late)


def test_a_line_of_callers_that_obey_gets_in_at_the_pace_at_which_places_get_free() -> None:
    now, stay, callers, places = 0.0, 1.0, 40, 4
    room = Room("room", places, clock=lambda: now)
    due = dict.fromkeys(range(callers), 0.0)
    ends: list[tuple[float, AbstractContextManager[None]]] = []
    calls = 0
    while due or ends:
        now = min([*due.values(), *(end for end, _ in ends)])
        for ended in [each for each in ends if each[0] <= now]:
            ended[1].__exit__(None, None, None)
            ends.remove(ended)
        for caller in [caller for caller, at in due.items() if at <= now]:
            calls += 1
            if away := delay(room):
                due[caller] = now + away
                continue
            place = room.place()
            place.__enter__()
            ends.append((now + stay, place))
            del due[caller]
    assert now < 3 * stay * callers / places
    assert calls < 6 * callers
