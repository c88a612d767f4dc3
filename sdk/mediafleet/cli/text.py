"""Values as people read them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SPAN = re.compile(r"([0-9]{1,18})([smhd])")
_LONGEST_SPAN = timedelta(days=36500)

MOST_ROWS = 1 << 31
"""That a command may be asked to print."""


def plain(text: str) -> str:
    """The text without anything that could steer a terminal: names of files are other people's input."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def size(count: int) -> str:
    """Bytes in decimal units, as in `3.2 MB`."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.95:
            break
        value, unit = value / 1000, larger
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"


def counted(number: int, one: str) -> str:
    """As in `1 file` and `2 files`."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def span(ctx: click.Context, param: click.Parameter, value: str | None) -> timedelta | None:
    """Reads an option that is a span of time: `90s`, `30m`, `12h`, `1d`."""
    if value is None:
        return None
    match = _SPAN.fullmatch(value)
    if not match:
        raise click.BadParameter(f"{value!r} is no span such as 90s, 30m, 12h or 1d", ctx, param)
    seconds = int(match[1]) * _UNITS[match[2]]
    if seconds > _LONGEST_SPAN.total_seconds():
        raise click.BadParameter(f"{value!r} is longer than {_LONGEST_SPAN.days}d", ctx, param)
    return timedelta(seconds=seconds)


def moment(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """Reads an option that is a time: `2026-07-01T12:00`, in UTC unless it says otherwise, or a span ago."""
    if value is None:
        return None
    if _SPAN.fullmatch(value):
        return datetime.now(UTC) - (span(ctx, param, value) or timedelta())
    try:
        time = datetime.fromisoformat(value)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        said = f"{value!r} is no time such as 2026-07-01T12:00, nor a span such as 90m"
        raise click.BadParameter(said, ctx, param) from None


def labels(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """Reads an option, given any number of times, that is a label: `key=value`."""
    pairs = [value.partition("=") for value in values]
    for key, equals, _ in pairs:
        if not key or not equals:
            raise click.BadParameter(f"{key!r} is no label such as album=summer", ctx, param)
    return {key: text for key, _, text in pairs}
