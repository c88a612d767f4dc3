"""Bounded, mixed load: everything that people do with a fleet, mistakes among it, for so many seconds."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.mixed_files import picture, plain
from mediafleet import AsyncClient, MediafleetError

NOWHERE = "00000000-0000-7000-8000-000000000000"


class Files(NamedTuple):
    """What is sent."""

    pictures: Sequence[Path]
    words: Sequence[Path]
    large: Path
    broken: Path


def files(folder: Path) -> Files:
    """Generated once for a run."""
    pictures = [
        picture(folder, kind, size)
        for kind, size in (("JPEG", 0.5), ("JPEG", 4), ("PNG", 1), ("WEBP", 2), ("TIFF", 1), ("GIF", 0.2))
    ]
    broken = folder / "broken.jpg"
    broken.write_bytes(pictures[0].read_bytes()[:4000])
    words = []
    for name in ("notes.txt", "table.csv", "page.html"):
        path = folder / name
        path.write_text(f"{name}\n" * 2000)
        words.append(path)
    return Files(pictures, words, plain(folder, 24 << 20), broken)


class People:
    """Callers of one gateway or another; what they met is counted."""

    def __init__(self, endpoints: dict[str, Any], made: Files) -> None:
        self._endpoints = endpoints
        self._files = made
        self._chance = random.Random(6)
        self.met: Counter[str] = Counter()
        """Calls that ended well as `ok`, and reasons of refusals."""

    async def live(self, seconds: float) -> None:
        """Do what they do for so long; what is under way then is given up."""
        deadline = time.monotonic() + seconds
        gateways = self._endpoints["gateways"]
        async with AsyncExitStack() as stack:

            async def client(token: str, targets: Sequence[str]) -> AsyncClient:
                return await stack.enter_async_context(AsyncClient(targets=targets, token=self._endpoints[token]))

            demo = await client("token", gateways)
            elsewhere = await client("token", gateways[::-1])
            other = await client("other_token", gateways)
            staff = await client("admin_token", gateways[::-1])
            habits: list[tuple[Callable[[], Awaitable[object]], float]] = [
                (lambda: self._send_picture(demo), 0.2),
                *([(lambda: self._send_picture(elsewhere), 0.2)] * 2),
                (lambda: demo.upload(self._chance.choice(self._files.words), wait=True), 0.4),
                (lambda: elsewhere.upload(self._files.large, transfer="stream"), 5.0),
                (lambda: demo.upload(self._files.large, transfer="direct"), 7.0),
                (lambda: demo.upload(self._files.broken, wait=True), 20.0),
                (lambda: self._change_mind(demo), 3.0),
                (lambda: self._batch(demo), 4.0),
                (lambda: self._look(demo, staff), 1.0),
                (lambda: demo.get(NOWHERE), 4.0),
                (lambda: other.upload(self._files.pictures[1]), 4.0),
                *([(lambda: self._watch(demo, deadline), 0.1)] * 10),
                *([(lambda: self._watch(elsewhere, deadline), 0.1)] * 10),
                *([(lambda: self._come_back(demo), 1.0)] * 4),
            ]
            tasks = [asyncio.create_task(self._again(habit, pause, deadline)) for habit, pause in habits]
            await asyncio.wait(tasks, timeout=seconds + 30)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _again(self, habit: Callable[[], Awaitable[object]], pause: float, deadline: float) -> None:
        while time.monotonic() < deadline:
            try:
                await habit()
                self.met["ok"] += 1
            except MediafleetError as error:
                self.met[error.reason or type(error).__name__] += 1
            await asyncio.sleep(pause * (0.5 + self._chance.random()))

    async def _send_picture(self, client: AsyncClient) -> None:
        upload = await client.upload(self._chance.choice(self._files.pictures), wait=True)
        if upload.renditions:
            await client.download_url(upload.upload_id, upload.renditions[0].name)

    async def _change_mind(self, client: AsyncClient) -> None:
        upload = await client.upload(self._files.pictures[1])
        await client.cancel(upload.upload_id)

    async def _batch(self, client: AsyncClient) -> None:
        batch = await client.batches.create("a few", expected_items=5)
        async for _ in client.upload_many([*self._files.words] * 2, batch_id=batch.batch_id):
            pass
        if self._chance.random() < 0.3:
            await client.batches.cancel(batch.batch_id)
        else:
            await client.batches.seal(batch.batch_id)
        await client.batches.wait(batch.batch_id, timeout=60)

    async def _look(self, client: AsyncClient, staff: AsyncClient) -> None:
        async with aclosing(client.list(page_size=20)) as uploads:
            await anext(uploads, None)
        await client.usage()
        await staff.usage(whole_bucket=True)
        await staff.fleet()

    async def _watch(self, client: AsyncClient, deadline: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.1, deadline - time.monotonic())):
                async for _ in client.watch_many():
                    pass

    async def _come_back(self, client: AsyncClient) -> None:
        """Leave with a cursor, and go on from it."""
        cursor = ""
        for _ in range(3):
            with suppress(TimeoutError):
                async with asyncio.timeout(5):
                    async for event in client.watch_many(after_cursor=cursor):
                        cursor = event.cursor or cursor
