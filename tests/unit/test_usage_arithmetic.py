"""Prices, steps of time, keys that count, and the picture of a history."""

from __future__ import annotations

from datetime import UTC, date, datetime

import msgspec
import pytest

from mediafleet.cli.usage.history import sparkline
from mediafleet_core.object_keys import UploadKeys, archive, counted_for, tenant_of
from mediafleet_core.prices import GB, Prices
from mediafleet_core.settings import SettingsError, read
from mediafleet_core.usage import Granularity, Operations
from mediafleet_gateway.usage_settings import UsageSettings
from tests.ledgers import ANN

KEYS = UploadKeys(ANN, "01a1fb23-d97a-7377-a304-1636ac2264ff")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "operations", "dollars"),
    [
        (0, Operations(), 0),
        (10 * GB, Operations(1_000_000, 10_000_000), 0),
        (1010 * GB, Operations(), 15),
        (0, Operations(3_000_000, 0), 9),
        (0, Operations(0, 20_000_000), 3.6),
        (110 * GB, Operations(2_000_000, 11_000_000), 1.5 + 4.5 + 0.36),
    ],
)
def test_a_month_costs_what_is_beyond_the_free_allowance(size: int, operations: Operations, dollars: float) -> None:
    assert Prices().monthly(size, operations) == pytest.approx(dollars)


def test_prices_are_read_with_their_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIAFLEET_STORAGE_PRICES", '{"date": "2027-01-31", "gb_month": 0.02, "free_gb": 0}')
    prices = read(UsageSettings).storage_prices
    assert prices.date == date(2027, 1, 31)
    assert prices.monthly(5 * GB, Operations()) == pytest.approx(0.1)
    for wrong in ('{"gb_month": -1}', '{"gb": 1}', "{", '{"date": "yesterday"}'):
        monkeypatch.setenv("MEDIAFLEET_STORAGE_PRICES", wrong)
        with pytest.raises(SettingsError, match="MEDIAFLEET_STORAGE_PRICES"):
            read(UsageSettings)


def test_steps_of_time_follow_the_calendar() -> None:
    time = datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC)
    starts = [granularity.start(time) for granularity in Granularity]
    assert starts == [
        datetime(2027, 1, 31, 23, tzinfo=UTC),
        datetime(2027, 1, 31, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    ]
    nexts = [granularity.next(start) for granularity, start in zip(Granularity, starts, strict=True)]
    assert nexts == [datetime(2027, 2, 1, tzinfo=UTC)] * 3
    assert Granularity.MONTH.next(datetime(2027, 2, 1, tzinfo=UTC)) == datetime(2027, 3, 1, tzinfo=UTC)


def test_usage_counts_originals_and_renditions_alone() -> None:
    for key in (KEYS.original(1), KEYS.rendition(2, "small", ".jpg")):
        assert counted_for(key) == KEYS
    for key in (KEYS.manifest, KEYS.tail(1), KEYS.originals, "uploads/ann/no-id/o/1", "x/" + KEYS.original(1)):
        assert counted_for(key) is None


def test_operations_belong_to_the_tenant_in_the_key() -> None:
    assert {tenant_of(key) for key in (KEYS.manifest, KEYS.prefix, archive(ANN, "uploads", date(2027, 1, 1), "x"))} == {
        ANN
    }
    assert {tenant_of(key) for key in ("", "uploads/", "uploads/ann", "check/absent", "other/ann/x")} == {""}


def test_a_sparkline_has_a_block_for_each_amount() -> None:
    assert sparkline([0, 1, 4, 7]) == "\u2581\u2582\u2585\u2588"
    assert sparkline([0, 0]) == "\u2581\u2581"


def test_the_price_table_is_what_configuration_may_say() -> None:
    assert msgspec.json.decode(msgspec.json.encode(Prices()), type=Prices) == Prices()
