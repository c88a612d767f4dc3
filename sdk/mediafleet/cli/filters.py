"""Options that say which uploads or batches are meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar

import click

from mediafleet.cli.text import MOST_ROWS, labels, moment

KINDS = ("IMAGE", "AUDIO", "VIDEO", "DOCUMENT", "OTHER")

R = TypeVar("R")

labelled = click.option(
    "--label", "labels", multiple=True, callback=labels, metavar="KEY=VALUE", help="With this mark; may be repeated."
)

limited = click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(min=1, max=MOST_ROWS), help="At most so many."
)


def any_of(option: str, names: str, values: Sequence[str]) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Adds an option that may be repeated, for any of these values; the command takes them as `names`."""
    return click.option(
        option,
        names,
        multiple=True,
        type=click.Choice(values, case_sensitive=False),
        metavar=option.removeprefix("--").upper(),
        help=f"{', '.join(values[:-1])} or {values[-1]}; may be repeated, for any of them.",
    )


def filtered(command: Callable[..., R]) -> Callable[..., R]:
    """Adds the options of a filter; the command takes it as `which`, an `UploadFilter`."""

    @any_of("--kind", "kinds", KINDS)
    @click.option("--collection", default="", help="In this collection.")
    @click.option("--batch", "batch_id", default="", metavar="ID", help="In this batch.")
    @labelled
    @click.option("--text", default="", help="Part of the name.")
    @click.option(
        "--code",
        "codes",
        multiple=True,
        metavar="CODE",
        help="With this failure, such as TIMED_OUT; may be repeated, for any of them.",
    )
    @click.option(
        "--since",
        callback=moment,
        metavar="TIME",
        help="Created then or later: 2026-07-01T12:00 (UTC unless it says otherwise), or a span ago such as 90m.",
    )
    @click.option("--before", callback=moment, metavar="TIME", help="Created earlier than then.")
    @wraps(command)
    def run(
        *arguments: Any,
        kinds: tuple[str, ...],
        labels: dict[str, str],
        codes: tuple[str, ...],
        since: datetime | None,
        before: datetime | None,
        collection: str,
        batch_id: str,
        text: str,
        **others: Any,
    ) -> R:
        from mediafleet.v1.uploads_pb2 import MediaKind, UploadFilter

        which = UploadFilter(
            kinds=[MediaKind.Value(f"MEDIA_KIND_{kind.upper()}") for kind in kinds],
            collection=collection,
            batch_id=batch_id,
            labels=labels,
            text=text,
            failure_codes=[code.upper() for code in codes],
        )
        if since:
            which.create_time_range.start_time.FromDatetime(since)
        if before:
            which.create_time_range.end_time.FromDatetime(before)
        return command(*arguments, which=which, **others)

    return run
