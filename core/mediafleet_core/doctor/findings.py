"""What a check is, and what it tells."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import NamedTuple

from mediafleet_core.errors import MediafleetError


class Status(StrEnum):
    """How a check went. FAILED alone makes the doctor's exit code 1."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Finding(NamedTuple):
    """One line: what was looked at, how that went, what was found, and what to do about it."""

    name: str
    status: Status
    text: str
    remedy: str = ""


class Check(NamedTuple):
    """A group of findings that come one after the other; the title chooses it, and is shown while it runs."""

    title: str
    run: Callable[[], AsyncIterator[Finding]]


def ok(name: str, text: str) -> Finding:
    """As it should be."""
    return Finding(name, Status.OK, text)


def warning(name: str, text: str, remedy: str) -> Finding:
    """It works, but not for everybody, or not for long."""
    return Finding(name, Status.WARNING, text, remedy)


def failed(name: str, text: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(name, Status.FAILED, text, remedy)


def skipped(name: str, text: str, remedy: str = "") -> Finding:
    """It could not be looked at."""
    return Finding(name, Status.SKIPPED, text, remedy)


def refused(name: str, error: MediafleetError) -> Finding:
    """FAILED; the storage's messages are a cause, a colon and what to do."""
    cause, _, remedy = error.message.partition(": ")
    return failed(name, cause, remedy or "try again; if it stays, see the logs of gateways and workers")
