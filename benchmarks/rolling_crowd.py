"""Callers of a fleet that is replaced process by process: uploads, jobs and watchers, in full swing all the time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple
from uuid import uuid4

from benchmarks.watch_chaos import Story, story
from mediafleet import AsyncClient
from mediafleet_core.identity import UploadId
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.media_types import MediaKind
from mediafleet_core.uploads import State
from tests.waiting import eventually

_RESTS = (10.0, 20.0)
"""Seconds that jobs take in turns: some end within the grace that workers give them, and some are given back."""

_CHUNKS, _CHUNK, _PAUSE = 16, 64 << 10, 0.25
"""An upload sends so many chunks of so many bytes, and rests so many seconds between two."""

_CLIENTS = 10


class Load(NamedTuple):
    """What goes on at any time."""

    uploads: int
    jobs: int
    watchers_per_job: int

    @property
    def watches(self) -> int:
        """Of all jobs."""
        return self.jobs * self.watchers_per_job


class RollingCrowd:
    """Callers with the SDK's own patience and every gateway in their lists; a call that fails ends everything."""

    def __init__(self, targets: Sequence[str], token: str, load: Load) -> None:
        """Nothing goes on yet."""
        self.taken: set[str] = set()
        """Ids of the uploads that were acknowledged."""
        self.stories: list[tuple[str, Story]] = []
        self.uploading = 0
        self._load = load
        self._clients = [
            AsyncClient(targets=random.sample(targets, len(targets)), token=token) for _ in range(_CLIENTS)
        ]

    @asynccontextmanager
    async def uploading_all_the_time(self) -> AsyncIterator[None]:
        """Inside the context so many uploads as the load says are always under way, each of some seconds."""
        ended = asyncio.Event()

        async def call(client: AsyncClient) -> None:
            while not ended.is_set():
                self.uploading += 1
                upload = await client.upload(_slowly(), display_name="slow.bin")
                self.uploading -= 1
                self.taken.add(upload.upload_id)

        async with asyncio.TaskGroup() as callers:
            for number in range(self._load.uploads):
                callers.create_task(call(self._clients[number % _CLIENTS]))
            try:
                yield
            finally:
                ended.set()

    @asynccontextmanager
    async def working(self, ledger: RedisLedger) -> AsyncIterator[Sequence[UploadId]]:
        """The jobs, from when all have begun and all their watchers stand until all have ended and been told."""
        files = [f"POISON:rest:{_RESTS[number % 2]}\n{uuid4()}".encode() for number in range(self._load.jobs)]
        standing = 0

        def stands() -> None:
            nonlocal standing
            standing += 1

        async def watch(upload_id: UploadId) -> None:
            self.stories.append((upload_id, await story(self._any, upload_id, stands)))

        async def all_stand() -> bool:
            return standing == self._load.watches

        async def all_have_begun() -> bool:
            return State.QUEUED not in {(await ledger.get(upload_id)).state for upload_id in ids}

        async with asyncio.TaskGroup() as callers:
            await ledger.pause(MediaKind.OTHER)  # so that all begin together
            uploads = await asyncio.gather(*(self._any.upload(file, display_name="job.bin") for file in files))
            ids = [UploadId(upload.upload_id) for upload in uploads]
            self.taken.update(ids)
            for upload_id in ids:
                for _ in range(self._load.watchers_per_job):
                    callers.create_task(watch(upload_id))
            await eventually(all_stand, 60, "every watch to stand")
            await ledger.resume(MediaKind.OTHER)
            await eventually(all_have_begun, 60, "every job to begin")
            yield ids

    async def close(self) -> None:
        """Ends every connection."""
        for client in self._clients:
            await client.close()

    @property
    def _any(self) -> AsyncClient:
        return random.choice(self._clients)


async def _slowly() -> AsyncIterator[bytes]:
    for _ in range(_CHUNKS):
        yield random.randbytes(_CHUNK)
        await asyncio.sleep(_PAUSE)
