"""Callers of a fleet that is replaced process by process: uploads, jobs and watchers, in full swing all the time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import NamedTuple
from uuid import uuid4

from benchmarks.watch_chaos import Story, story
from mediafleet import AsyncClient
from mediafleet_core.identity import TenantId
from tests.fleet import Fleet

TENANT = TenantId("drain")

PATIENCE = 120.0
"""Seconds that callers bear."""

_RESTS = (2.0, 8.0)
"""Seconds that jobs take: some end within the grace, and some are given back."""

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
    """Callers that go on until they are asked to end; a call that fails ends everything."""

    def __init__(self, fleet: Fleet, load: Load, spare: str) -> None:
        self.taken: set[str] = set()
        self.stories: list[tuple[str, Story]] = []
        self.uploading = self.watching = 0
        self._load, self._ended = load, asyncio.Event()
        targets = [*fleet.gateways, spare]
        self._clients = [
            AsyncClient(targets=random.sample(targets, len(targets)), token=fleet.token(TENANT), timeout=PATIENCE)
            for _ in range(_CLIENTS)
        ]

    @property
    def in_full_swing(self) -> bool:
        return (self.uploading, self.watching) == (self._load.uploads, self._load.watches)

    def end(self) -> None:
        self._ended.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as callers:
            for number in range(self._load.uploads):
                callers.create_task(self._upload(self._clients[number % _CLIENTS]))
            for number in range(self._load.jobs):
                callers.create_task(self._work(number))
        for client in self._clients:
            await client.close()

    async def _upload(self, client: AsyncClient) -> None:
        while not self._ended.is_set():
            self.uploading += 1
            upload = await client.upload(_slowly(), display_name="slow.bin")
            self.uploading -= 1
            self.taken.add(upload.upload_id)

    async def _work(self, number: int) -> None:
        chance = random.Random(number)
        while not self._ended.is_set():
            client = chance.choice(self._clients)
            content = f"POISON:rest:{chance.choice(_RESTS)}\n{uuid4()}".encode()
            upload_id = (await client.upload(content, display_name="job.bin")).upload_id
            self.taken.add(upload_id)
            self.watching += self._load.watchers_per_job
            watching = (story(chance.choice(self._clients), upload_id) for _ in range(self._load.watchers_per_job))
            told = await asyncio.gather(*watching)
            self.watching -= self._load.watchers_per_job
            self.stories += ((upload_id, each) for each in told)


async def _slowly() -> AsyncIterator[bytes]:
    for _ in range(_CHUNKS):
        yield random.randbytes(_CHUNK)
        await asyncio.sleep(_PAUSE)
