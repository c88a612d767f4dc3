"""What a check is, and what it tells: the fields that every distribution's checks have, whichever class they are of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import NamedTuple, Protocol

OK, WARNING, FAILED, SKIPPED = "ok", "warning", "failed", "skipped"


class Finding(Protocol):
    """What was looked at, how that went (`ok`, `warning`, `failed`, `skipped`), what was found, what to do."""

    @property
    def name(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def remedy(self) -> str: ...


class Check(Protocol):
    """A group of findings that come one after the other; the title is shown while it runs."""

    @property
    def title(self) -> str: ...
    @property
    def run(self) -> Callable[[], AsyncIterator[Finding]]: ...


class Found(NamedTuple):
    """The SDK's own finding."""

    name: str
    status: str
    text: str
    remedy: str = ""


class Own(NamedTuple):
    """The SDK's own check."""

    title: str
    run: Callable[[], AsyncIterator[Finding]]
