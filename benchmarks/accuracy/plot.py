"""Shown against true as a drawing: a line for each upload, and the mean of all."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.accuracy.judging import LONG, Judged, Verdict

_SIDE, _LEFT, _TOP, _GAP = 320, 52, 56, 72
_WIDTH, _HEIGHT = _LEFT + 2 * _SIDE + _GAP + 24, _TOP + _SIDE + 56
_FONT = 'font-family="sans-serif" font-size="12" fill="#333"'
_GOAL = 5
_BINS = 20


def plot(verdict: Verdict) -> str:
    """An SVG of two squares: percent shown, and ETA of long work, both against what was true."""
    figures = verdict.figures()
    worked = [each for each in verdict.uploads if each.looks]
    long = [each for each in worked if each.seconds >= LONG]
    return (
        "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {_FONT}>',
                f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
                *_square(_LEFT, f"Percent of {len(worked)} files", "true share of the time, %", "shown share, %"),
                _band(_LEFT),
                *(_line(_LEFT, _shown(each), 'stroke="#27c" stroke-opacity="0.25"') for each in worked),
                _line(_LEFT, _mean(worked), 'stroke="#c33" stroke-width="2.5"'),
                _text(_LEFT + 8, _TOP + 16, f"red: mean; off by {figures['mean points by look']} points on average"),
                *_square(
                    _LEFT + _SIDE + _GAP, f"ETA of {len(long)} files over {LONG:g} s", "true, % of the time", "told, %"
                ),
                _band(_LEFT + _SIDE + _GAP, of_value=0.25),
                *(_line(_LEFT + _SIDE + _GAP, _told(each), 'stroke="#27c" stroke-opacity="0.5"') for each in long),
                "</svg>",
            ]
        )
        + "\n"
    )


def _shown(upload: Judged) -> list[tuple[float, float]]:
    return [(0.0, 0.0), *((look.true, look.shown) for look in upload.looks), (1.0, 1.0)]


def _told(upload: Judged) -> list[tuple[float, float]]:
    return [
        (look.left / upload.seconds, min(1.0, max(0.0, look.eta / upload.seconds)))
        for look in upload.looks
        if look.eta is not None
    ]


def _mean(uploads: Sequence[Judged]) -> list[tuple[float, float]]:
    looks = [look for upload in uploads for look in upload.looks]
    points = [(0.0, 0.0)]
    for place in range(_BINS):
        there = [look for look in looks if place <= look.true * _BINS < place + 1]
        if there:
            shares = statistics.fmean(look.true for look in there), statistics.fmean(look.shown for look in there)
            points.append(shares)
    return [*points, (1.0, 1.0)]


def _xy(left: int, x: float, y: float) -> str:
    return f"{left + x * _SIDE:.1f},{_TOP + (1 - y) * _SIDE:.1f}"


def _line(left: int, points: Sequence[tuple[float, float]], style: str) -> str:
    return f'<polyline points="{" ".join(_xy(left, *point) for point in points)}" fill="none" {style}/>'


def _band(left: int, of_value: float | None = None) -> str:
    """Where the goal lies around the diagonal: so many points, or a part of the value up to half-way."""
    if of_value is None:
        off = _GOAL / 100
        corners = [(0, 0), (0, off), (1 - off, 1), (1, 1), (1, 1 - off), (off, 0)]
    else:
        corners = [(0, 0), (0.5, 0.5 * (1 + of_value)), (0.5, 0.5 * (1 - of_value))]
    return f'<polygon points="{" ".join(_xy(left, *corner) for corner in corners)}" fill="#2a2" fill-opacity="0.2"/>'


def _text(x: float, y: float, content: str, style: str = "") -> str:
    return f'<text x="{x}" y="{y}" {style}>{content}</text>'


def _square(left: int, title: str, across: str, up: str) -> list[str]:
    middle, bottom = left + _SIDE / 2, _TOP + _SIDE
    rows = [
        _text(left, _TOP - 18, title, 'font-size="14"'),
        f'<rect x="{left}" y="{_TOP}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#999"/>',
        f'<polyline points="{_xy(left, 0, 0)} {_xy(left, 1, 1)}" stroke="#999" stroke-dasharray="4 4"/>',
        _text(middle, bottom + 40, across, 'text-anchor="middle"'),
        f'<text transform="translate({left - 36} {_TOP + _SIDE / 2}) rotate(-90)" text-anchor="middle">{up}</text>',
    ]
    for share in range(0, 101, 25):
        rows.append(_text(left + share / 100 * _SIDE, bottom + 18, str(share), 'text-anchor="middle"'))
        rows.append(_text(left - 6, bottom - share / 100 * _SIDE + 4, str(share), 'text-anchor="end"'))
    return rows
