"""How the rules are taken apart and sped up for the benchmarks that watch a real Prometheus."""

from __future__ import annotations

import pytest

from benchmarks.drills.scaling import scaled
from benchmarks.observed.rules import parts


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("sum(up) == 0 or absent(up)", ["sum(up)", "absent(up)"]),
        ("rate(a[5m])\n/ rate(b[5m]) > 14.4 * 0.001", ["rate(a[5m])\n/ rate(b[5m])"]),
        ('a{x=~"p or q", y!="z"} > 0 and on (n) sum by (n) (b) > 0', ['a{x=~"p or q", y!="z"}', "sum by (n) (b)"]),
        ("(a > 1 or (b and on () c > 2))", ["a", "b", "c"]),
        ("a unless on (c, q) b == 1 unless ignoring (q) d < 2", ["a", "b", "d"]),
        ("time() - max(x) > 2 * 86400", ["time() - max(x)"]),
    ],
)
def test_an_alert_is_taken_apart_at_what_it_compares_and_combines(expr: str, expected: list[str]) -> None:
    assert parts(expr) == expected


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("increase(a[1h]) > 10", "increase(a[180000ms]) > 10"),
        ("a:rate1h * 3600 > 10", "a:rate1h * 180 > 10"),
        ("time() - max by (c) (x) > 2 * 86400", "time() - max by (c) (x) > 8640"),
        ("q:x_age_seconds:max < 120", "q:x_age_seconds:max < 6"),
        ('rate(w_bucket{le="60.0"}[5m])', 'rate(w_bucket{le="2.5"}[15000ms])'),
        ("a / b > 0.05 and c > 5", "a / b > 0.05 and c > 5"),
    ],
)
def test_lengths_of_time_are_divided_and_thresholds_stay(expr: str, expected: str) -> None:
    assert scaled(expr) == expected
