"""Many files, some at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from typing import Any, NamedTuple

from mediafleet.errors import MediafleetError
from mediafleet.sources import FileChanged, Readable
from mediafleet.v1.uploads_pb2 import Upload

AT_ONCE = 5
"""Files on their way at a time."""


class UploadOutcome(NamedTuple):
    """What became of the source at `place`, from 0: its `upload`, or the `error` for which there is none."""

    place: int
    source: Readable
    upload: Upload | None
    error: MediafleetError | OSError | FileChanged | None


async def in_parallel(
    sources: Iterable[Readable], send: Callable[[int, Readable], Coroutine[Any, Any, Upload]], at_once: int
) -> AsyncGenerator[UploadOutcome, None]:
    """Outcomes as they come; whoever ends the generator ends what is on its way."""

    async def one(place: int, source: Readable) -> UploadOutcome:
        try:
            return UploadOutcome(place, source, await send(place, source), None)
        except (MediafleetError, OSError, FileChanged) as error:
            return UploadOutcome(place, source, None, error)

    waiting = enumerate(sources)
    running: set[asyncio.Task[UploadOutcome]] = set()
    try:
        while True:
            while len(running) < at_once and (following := next(waiting, None)) is not None:
                running.add(asyncio.create_task(one(*following)))
            if not running:
                return
            ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
