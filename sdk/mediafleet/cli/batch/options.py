"""Options of commands that make a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple, TypeVar

import click

from mediafleet.cli.batch.scanning import MEDIA_TYPES, TYPES, Choice
from mediafleet.cli.text import labels

R = TypeVar("R")


class About(NamedTuple):
    """What the batch is called, and what each of its files is given."""

    name: str
    collection: str
    labels: dict[str, str]


class Manner(NamedTuple):
    """What the command shall do, and say."""

    dry_run: bool
    no_wait: bool
    as_json: bool


def types(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    """Reads an option that names kinds of media or media types, separated by commas."""
    named = tuple(dict.fromkeys(each.strip().lower() for value in values for each in value.split(",") if each.strip()))
    for each in named:
        if each not in TYPES and "/" not in each:
            raise click.BadParameter(f"{each!r} is none of {', '.join(TYPES)} and no media type", ctx, param)
        if each not in TYPES and each not in MEDIA_TYPES:
            raise click.BadParameter(f"no name of a file tells of the media type {each!r}", ctx, param)
    return named


def making_a_batch(command: Callable[..., R]) -> Callable[..., R]:
    """Adds the options; the command takes them as `choice`, `about` and `manner`."""

    @click.option(
        "--name", default="", help="Of the batch, by default the last part of DIR or PREFIX; another makes another."
    )
    @click.option(
        "--type",
        "types",
        multiple=True,
        callback=types,
        metavar="TYPE,...",
        help=f"Only {', '.join(TYPES)}, or a media type such as image/png; by the names of the files.",
    )
    @click.option("--include", multiple=True, metavar="GLOB", help="Only such files; may be repeated, for any of them.")
    @click.option("--exclude", multiple=True, metavar="GLOB", help="Without such files; may be repeated.")
    @click.option("--collection", default="", help="Collection to put the files into.")
    @click.option("--label", "labels", multiple=True, callback=labels, metavar="KEY=VALUE", help="Mark of every file.")
    @click.option("--dry-run", is_flag=True, help="Only count files and bytes.")
    @click.option("--no-wait", is_flag=True, help="End when everything is there, and do not wait for the work on it.")
    @click.option("--json", "as_json", is_flag=True, help="One JSON object, after one for each file not taken.")
    @wraps(command)
    def run(
        *arguments: Any,
        name: str,
        types: tuple[str, ...],
        include: tuple[str, ...],
        exclude: tuple[str, ...],
        collection: str,
        labels: dict[str, str],
        dry_run: bool,
        no_wait: bool,
        as_json: bool,
        **others: Any,
    ) -> R:
        choice, about = Choice(types, include, exclude), About(name, collection, labels)
        return command(*arguments, choice=choice, about=about, manner=Manner(dry_run, no_wait, as_json), **others)

    return run
