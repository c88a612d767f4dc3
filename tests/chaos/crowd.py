"""Work for a fleet: what callers were told was taken, and load that goes on meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import BytesIO

from mediafleet import AsyncClient
from mediafleet_core.identity import TenantId
from tests.fleet import Fleet
from tests.pictures import scene
from tests.waiting import eventually

_MOST = 1_500
"""Files that the load sends, however long it lasts."""

_CALLERS = 3
_PAUSE = 0.1


class Crowd:
    """Callers of one tenant; `acknowledged` are the uploads that they were told are durable and queued."""

    def __init__(self, client: AsyncClient, tenant: TenantId) -> None:
        self.tenant = tenant
        self.acknowledged: set[str] = set()
        self._client = client
        self._taken = [0] * _CALLERS
        buffer = BytesIO()
        scene(64, 48).save(buffer, "JPEG")
        self._picture = buffer.getvalue()

    async def picture(self) -> str:
        """A picture that nobody has sent before."""
        return await self._send(self._picture + random.randbytes(32), "picture.jpg")

    async def rest(self, seconds: float) -> str:
        """A job that takes so long."""
        return await self._send(f"POISON:rest:{seconds}\n{random.random()}".encode(), "job.bin")

    async def many(self, count: int, send: Callable[[], Awaitable[str]]) -> set[str]:
        """So many of them, some at a time."""
        turns = asyncio.Semaphore(8)

        async def one() -> str:
            async with turns:
                return await send()

        return set(await asyncio.gather(*(one() for _ in range(count))))

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Inside the context pictures go on coming. Every one is taken: the SDK bears what happens meanwhile."""
        ended = asyncio.Event()

        async def call(caller: int) -> None:
            for _ in range(_MOST // _CALLERS):
                if ended.is_set():
                    return
                await self.picture()
                self._taken[caller] += 1
                await asyncio.sleep(_PAUSE)

        async with asyncio.TaskGroup() as callers:
            for caller in range(_CALLERS):
                callers.create_task(call(caller))
            try:
                yield
            finally:
                ended.set()

    async def goes_on(self) -> None:
        """Until each caller of the load has had another picture taken: who meets two outages may lose patience."""
        before = list(self._taken)

        async def all_went_on() -> bool:
            return all(now > then for now, then in zip(self._taken, before, strict=True))

        await eventually(all_went_on, 60, "callers to go on")

    async def _send(self, content: bytes, name: str) -> str:
        upload = await self._client.upload(content, display_name=name)
        self.acknowledged.add(upload.upload_id)
        return upload.upload_id


@asynccontextmanager
async def crowd_at(fleet: Fleet, tenant: TenantId) -> AsyncIterator[Crowd]:
    """With the SDK's own patience."""
    async with AsyncClient(targets=fleet.gateways, token=fleet.token(tenant)) as client:
        yield Crowd(client, tenant)
