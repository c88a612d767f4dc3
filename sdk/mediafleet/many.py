"""Many at a time: what becomes of each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Iterable
from typing import Any, NamedTuple, TypeVar

from mediafleet.errors import FailedPrecondition, MediafleetError, NotFound
from mediafleet.sources import FileChanged, Readable
from mediafleet.v1.uploads_pb2 import Importable, Upload

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 5
"""Files on their way, or calls under way, at a time."""


class UploadOutcome(NamedTuple):
    """What became of the source at `place`, from 0: its `upload`, or the `error` for which there is none."""

    place: int
    source: Readable
    upload: Upload | None
    error: MediafleetError | OSError | FileChanged | None


class ImportOutcome(NamedTuple):
    """What became of the object at `place`, from 0: its `upload`, or the `error` for which there is none."""

    place: int
    source: Importable
    upload: Upload | None
    error: MediafleetError | None


class RetryOutcome(NamedTuple):
    """What became of an upload that was `found`: the `upload` in its new series, or the `error` for which it has none.

    The error's `reason` is ORIGINAL_MISSING where nothing is stored any more, UPLOAD_NOT_FOUND where it was deleted.
    """

    found: Upload
    upload: Upload | None
    error: FailedPrecondition | NotFound | None


async def each(items: Iterable[T]) -> AsyncGenerator[T, None]:
    """The items, as they are asked for."""
    for item in items:
        yield item


async def in_parallel(
    items: AsyncIterable[T], work: Callable[[T], Coroutine[Any, Any, R]], at_once: int
) -> AsyncGenerator[R, None]:
    """Results as they come; items are taken as places become free.

    Whoever ends the generator ends what is on its way.
    """
    waiting = aiter(items)
    running: set[asyncio.Task[R]] = set()
    more = True
    try:
        while more or running:
            while more and len(running) < at_once:
                try:
                    running.add(asyncio.create_task(work(await anext(waiting))))
                except StopAsyncIteration:
                    more = False
            if running:
                ended, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    running.remove(task)
                    yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
