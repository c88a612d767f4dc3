"""Which handler a file goes to: the first whose test accepts the beginning of the file, newest registration first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from mediafleet_workers.pipeline.job import PipelineJob, PipelineResult, Report

HEAD_SIZE = 8192
"""Bytes of the beginning that a test sees."""

Matches: TypeAlias = Callable[[bytes], bool]
Handler: TypeAlias = Callable[[PipelineJob, bytes, Report], PipelineResult]
"""Takes the job and the beginning of its file; raises `ProcessingError`, or anything at all for INTERNAL."""

_handlers: list[tuple[Matches, Handler]] = []


def register(matches: Matches, handler: Handler) -> None:
    """Send files whose beginning `matches` to `handler`, before any handler that is registered already."""
    _handlers.insert(0, (matches, handler))


def find(head: bytes) -> Handler:
    """The handler for a file that begins with `head`. Raises LookupError if there is none."""
    for matches, handler in _handlers:
        if matches(head):
            return handler
    raise LookupError("no handler is registered")
