"""How findings are shown: a line each, what to do below it, and on a terminal what is being looked at."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from shutil import get_terminal_size

import click
from rich.console import Console
from rich.status import Status

from mediafleet.cli.doctor.findings import FAILED, OK, SKIPPED, WARNING, Finding
from mediafleet.cli.text import plain

_WORDS = {OK: "ok", WARNING: "warning", FAILED: "FAILED", SKIPPED: "skipped"}
_COLOURS = {OK: "green", WARNING: "yellow", FAILED: "red", SKIPPED: "cyan"}
_STATUS, _NAME = 9, 20
"""Columns."""


class Printer:
    """Prints on stdout; the progress line is on stderr and only on a terminal."""

    def __init__(self, *, as_json: bool) -> None:
        """`as_json` prints an object per line, and nothing for people."""
        self._as_json = as_json
        self._console = Console(stderr=True, highlight=False)
        self._status: Status | None = None

    @contextmanager
    def looking_at(self, title: str) -> Iterator[None]:
        """The progress line."""
        if self._as_json or not self._console.is_terminal:
            yield
            return
        with self._console.status(f"looking at {title} ...") as status:
            self._status = status
            try:
                yield
            finally:
                self._status = None

    def show(self, finding: Finding) -> None:
        """One finding."""
        if self._as_json:
            names = ("name", "status", "text", "remedy")
            click.echo(json.dumps({name: str(getattr(finding, name)) for name in names}, ensure_ascii=False))
            return
        if self._status is not None:
            self._status.stop()
        word = click.style(f"{_WORDS[finding.status]:<{_STATUS}}", fg=_COLOURS[finding.status])
        self._print(f"{word}{plain(finding.name):<{_NAME}}", _STATUS + _NAME, plain(finding.text))
        if finding.remedy:
            self._print(" " * (_STATUS + _NAME), _STATUS + _NAME, f"-> {plain(finding.remedy)}")
        if self._status is not None:
            self._status.start()

    def sum_up(self, counts: Counter[str]) -> None:
        """The last line."""
        if not self._as_json:
            said = ", ".join(f"{counts[status]} {_WORDS[status]}" for status in _WORDS if counts[status])
            click.echo(f"\n{said or 'nothing to look at'}")

    def _print(self, head: str, indent: int, text: str) -> None:
        width = max(get_terminal_size().columns if self._console.is_terminal else 2000, indent + 20)
        lines = textwrap.wrap(text, width - indent) or [""]
        click.echo(f"{head}{lines[0]}".rstrip())
        for line in lines[1:]:
            click.echo(f"{' ' * indent}{line}")
