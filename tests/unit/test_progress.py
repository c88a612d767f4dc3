"""How far an attempt is and how long it will take: what the estimate promises, whatever it is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediafleet.progress import SENDING_PERCENT
from mediafleet_core.media_types import MediaKind
from mediafleet_core.progress import MOST_BEFORE_TERMINAL, RECEIVED_PERCENT, receiving, whole_percent
from mediafleet_core.progress.estimate import Estimate, Paces
from mediafleet_core.progress.expected import STAGES, stage_seconds, step_seconds
from mediafleet_core.progress.flow import Flow

EXPECTED = {"fetch": 1.0, "process": 8.0, "store": 0.9, "commit": 0.1}
PICTURES = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/tiff")


def processing(paces: Paces | None = None) -> Estimate:
    """An attempt at 1 s, its fetch done as expected, its processing just begun."""
    estimate = Estimate(EXPECTED, paces or Paces(), 0.0)
    estimate.advance(1.0, 1.0)
    estimate.enter("process", 1.0)
    return estimate


def test_work_that_goes_as_expected_is_shown_as_it_is() -> None:
    estimate = processing()
    for tenths in range(10, 90):
        now = tenths / 10
        estimate.advance((now - 1) / 8, now)
        assert estimate.share(now) == pytest.approx(now / 10)
        assert estimate.remaining(now) == pytest.approx(10 - now)


def test_a_stage_that_turns_out_slower_takes_more_of_the_whole() -> None:
    estimate = processing()
    for second in range(1, 13):
        estimate.advance(second / 24, 1.0 + second)
    # Half of 24 s and what follows are left, and 13 s are over.
    assert estimate.remaining(13.0) == pytest.approx(13.0, rel=0.02)
    assert estimate.share(13.0) == pytest.approx(0.5, abs=0.01)


def test_the_rate_is_the_recent_one() -> None:
    estimate = processing()
    for second in range(1, 5):
        estimate.advance(second / 16, 1.0 + second)  # half as fast as expected
    for second in range(1, 13):
        estimate.advance(0.25 + second / 32, 5.0 + second)  # and now a quarter
    left = estimate.remaining(17.0)
    assert left is not None
    assert left == pytest.approx(12.0 + 1.0, rel=0.1)


def test_time_alone_leads_to_the_end_of_the_step_and_never_beyond() -> None:
    estimate = processing()
    estimate.advance(0.0, 1.0, until=0.5)
    assert estimate.share(3.0) == pytest.approx(0.3)
    shares = [estimate.share(now) for now in (4.0, 6.0, 10.0, 40.0)]
    assert shares == sorted(shares)
    left = [estimate.remaining(now) for now in (4.0, 5.0, 12.0)]
    assert all(each is not None and each > 5.0 for each in left), "half of the stage and what follows is still to come"


def test_bytes_that_do_not_come_move_nothing() -> None:
    estimate = Estimate(EXPECTED, Paces(), 0.0)
    estimate.advance(0.1, 0.1)
    assert estimate.share(5.0) < 0.2, "only the time that was lost itself"
    late = estimate.remaining(5.0)
    assert late is not None
    assert late > 20


def test_a_step_that_is_silent_for_far_too_long_can_be_told_nothing_of() -> None:
    estimate = processing()
    estimate.advance(0.0, 1.0, until=0.5)
    assert estimate.remaining(12.0) is not None
    assert estimate.remaining(14.0) is None
    estimate.advance(0.5, 14.0)
    assert estimate.remaining(14.0) is not None


def test_units_that_stop_coming_make_the_rest_longer() -> None:
    estimate = processing()
    estimate.advance(0.5, 5.0)
    soon, late = estimate.remaining(5.0), estimate.remaining(9.0)
    assert soon is not None
    assert late is not None
    assert late > 1.5 * soon


def test_a_worker_learns_how_fast_it_is() -> None:
    paces = Paces()
    for _ in range(20):
        estimate = Estimate(EXPECTED, paces, 0.0)
        estimate.enter("process", 0.0)
        estimate.leave(24.0)  # thrice as long as expected
    assert paces.of("process") == pytest.approx(1 / 3, rel=0.05)
    assert processing(paces).remaining(1.0) == pytest.approx(25.0, rel=0.05)


def test_what_the_child_expects_replaces_the_table() -> None:
    estimate = processing()
    estimate.advance(0.0, 1.0, seconds=80.0)
    assert estimate.remaining(1.0) == pytest.approx(81.0)


EVENT = st.tuples(
    st.sampled_from(["advance", "until", "seconds", "enter"]), st.floats(0, 1), st.floats(0, 1e9), st.floats(0, 30)
)


@given(st.lists(EVENT, max_size=40))
def test_percent_never_falls_whatever_is_told(events: list[tuple[str, float, float, float]]) -> None:
    estimate, now, stage, before = Estimate(EXPECTED, Paces(), 0.0), 0.0, 0, 0.0
    for what, fraction, seconds, later in events:
        now += later
        match what:
            case "advance":
                estimate.advance(fraction, now)
            case "until":
                estimate.advance(fraction / 2, now, until=fraction)
            case "seconds":
                estimate.advance(fraction, now, seconds=seconds)
            case "enter" if stage + 1 < len(STAGES):
                estimate.leave(now)
                stage += 1
                estimate.enter(STAGES[stage], now)
        percent = whole_percent(estimate.share(now, ahead=0.1))
        assert RECEIVED_PERCENT <= before <= percent <= MOST_BEFORE_TERMINAL or before == 0.0
        before = percent
        left = estimate.remaining(now)
        assert left is None or left >= 0


def test_old_units_fade() -> None:
    flow = Flow(3.0, 10.0, 1.0)
    assert flow.rate() == pytest.approx(10.0)
    for _ in range(20):
        flow.add(1.0, 1.0)
    assert flow.rate() == pytest.approx(1.0, rel=0.05)
    assert flow.rate(silence=3.0) == pytest.approx(0.35, rel=0.2)
    assert Flow(3.0).rate() is None


@pytest.mark.parametrize("kind", MediaKind)
def test_every_kind_and_size_has_expectations(kind: MediaKind) -> None:
    sizes = [0, 1, 1000, 10**6, 10**8, 10**12]
    found = [stage_seconds(kind, "", size) for size in sizes]
    assert all(tuple(each) == STAGES and all(seconds > 0 for seconds in each.values()) for each in found)
    assert sum(found[-1].values()) > 100 * sum(found[1].values())


@pytest.mark.parametrize("content_type", PICTURES)
def test_larger_pictures_take_longer(content_type: str) -> None:
    whole = [sum(step_seconds(content_type, pixels).values()) for pixels in (10**5, 10**7, 5 * 10**7, 10**9)]
    assert whole == sorted(whole)
    assert whole[-1] > 5 * whole[-2]


def test_other_types_have_no_steps() -> None:
    assert step_seconds("text/plain", 10**6) == {}


def test_the_sdk_counts_the_receive_leg_as_the_fleet_does() -> None:
    assert SENDING_PERCENT == RECEIVED_PERCENT


def test_what_is_left_to_receive_comes_at_the_recent_rate() -> None:
    flow = receiving.Flow(at=10_000, size=4e6, took=2_000, last=500)  # 2 MB/s
    assert receiving.remaining(flow, 20_000_000, 3.0, now=10_000) == 13.0
    assert receiving.remaining(flow, 20_000_000, 3.0, now=22_000) is None, "the caller has gone"
    assert receiving.remaining(receiving.Flow(10_000, 0, 0, 0), 1, 3.0, now=10_000) is None, "nothing came yet"


def test_more_than_a_year_is_not_told() -> None:
    day = 86_400_000.0
    dribble = receiving.Flow(at=day, size=1, took=day, last=day)
    assert receiving.remaining(dribble, 300, 3.0, now=day) == 300 * 86_400 + 3
    assert receiving.remaining(dribble, 400, 3.0, now=day) is None
    assert receiving.remaining(dribble, 10 << 30, 3.0, now=day) is None
