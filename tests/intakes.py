"""An intake over a real Redis, a real folder and a real broker, and short ways to look behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from mediafleet_core import cleanup
from mediafleet_core.identity import TenantId
from mediafleet_core.intake import Intake, IntakeSettings
from mediafleet_core.ledger import LedgerSettings, RedisLedger, connect
from mediafleet_core.lifecycle import Lifecycle
from mediafleet_core.media_types import MediaKind
from mediafleet_core.object_keys import ROOT
from mediafleet_core.ports import ObjectStore
from mediafleet_core.queue import DramatiqQueue, QueueSettings, open_broker, queue_name
from mediafleet_core.quotas import Limits
from mediafleet_core.storage.links import LinkSigner
from mediafleet_core.storage.local import LocalStore
from mediafleet_core.uploads import Upload, UploadSpec
from tests.ledgers import SHORTEST

ANN = TenantId("ann")
LIMITS = Limits()
PART = 1000
"""Bytes per part in these tests."""


class Site(NamedTuple):
    """An intake and what stands behind it."""

    intake: Intake
    lifecycle: Lifecycle
    ledger: RedisLedger
    store: ObjectStore
    queue: DramatiqQueue

    async def created(self, size: int | None = None, name: str = "a.jpg", **declared: object) -> Upload:
        """An upload that is open for bytes."""
        spec = UploadSpec(display_name=name, size_bytes=size, **declared)  # type: ignore[arg-type]
        return await self.intake.create(ANN, spec, limits=LIMITS)

    async def content(self, upload: Upload) -> bytes:
        """The original as it is stored."""
        record = await self.ledger.get(upload.upload_id)
        return b"".join([chunk async for chunk in self.store.read(record.original_key)])

    async def objects(self) -> list[str]:
        """The key of every object and every unfinished multipart."""
        keys = [stored.key async for stored in self.store.list(ROOT)]
        return keys + [found.key async for found in self.store.list_multiparts(ROOT)]

    async def bells(self, kind: MediaKind = MediaKind.IMAGE) -> int:
        """How many bells wait to be heard."""
        return len(self.queue._broker.client.lrange(f"dramatiq:{queue_name(kind)}", 0, -1))

    async def due(self) -> int:
        """How many uploads wait for a worker."""
        figures, _ = await self.ledger.queues()
        return sum(queue.waiting for queue in figures)

    async def housekeeping(self) -> None:
        """Expire what is past its time, and sweep."""
        await self.ledger.expire(1000)
        for planned in await self.ledger.sweeps(1000):
            await cleanup.sweep(self.store, self.ledger, planned)


@asynccontextmanager
async def site(
    redis_url: str,
    folder: Path,
    settings: IntakeSettings | None = None,
    store: ObjectStore | None = None,
    queue: DramatiqQueue | None = None,
) -> AsyncIterator[Site]:
    """Everything that an intake needs, on database 0 (ledger) and 1 (broker) of a Redis."""
    ledger = await connect(LedgerSettings(ledger_url=redis_url))
    store = store or local_store(folder)
    queue = queue or DramatiqQueue(open_broker(QueueSettings(broker_url=other_database(redis_url))))
    settings = settings or IntakeSettings(part_bytes=PART, upload_expiry=SHORTEST)
    intake = Intake(ledger, store, queue, settings)
    try:
        yield Site(intake, Lifecycle(ledger, store, queue, max_attempts=3), ledger, store, queue)
        await intake.settled()
    finally:
        await queue.close()
        await store.close()
        await ledger.close()


def local_store(folder: Path) -> LocalStore:
    """Storage in a folder, its URLs signed for nobody."""
    return LocalStore(folder, LinkSigner("http://127.0.0.1:1", "0123456789abcdef"))


def other_database(redis_url: str) -> str:
    """The broker's database beside the ledger's."""
    if redis_url.startswith("unix:"):
        return f"{redis_url.partition('?')[0]}?db=1"
    return f"{redis_url.rsplit('/', 1)[0]}/1"


def some_bytes(size: int, seed: int = 0) -> bytes:
    """Bytes that differ everywhere."""
    block = b"".join(number.to_bytes(4, "big") for number in range(seed, seed + size // 4 + 1))
    return block[:size]
