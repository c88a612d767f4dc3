"""A worker over a real Redis and a real folder, in this process, and uploads for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import google_crc32c

from mediafleet_core.identity import TenantId, UploadId, new_upload_id
from mediafleet_core.ledger import LedgerSettings, RedisLedger, connect
from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.ports import ObjectStore, Original
from mediafleet_core.queue import DramatiqQueue, QueueSettings, open_broker
from mediafleet_core.quotas import Limits
from mediafleet_core.storage import StorageSettings, open_store
from mediafleet_core.uploads import State, Upload, UploadSpec
from mediafleet_workers.bootstrap import Settings, build
from mediafleet_workers.housekeeping import HousekeepingSettings
from mediafleet_workers.sandbox.settings import SandboxSettings
from mediafleet_workers.settings import JobSettings, WorkerSettings
from mediafleet_workers.webhooks import WebhookSettings
from mediafleet_workers.worker import WorkerProcess
from tests.waiting import eventually

ANN, BOB = TenantId("ann"), TenantId("bob")
LIMITS = Limits()


def settings(redis_url: str, folder: Path, **changed: Any) -> Settings:
    """Small budgets and short waits; `changed` goes to whichever part has such a field."""
    values = {
        "ledger_url": redis_url,
        "broker_url": redis_url.removesuffix("/0") + "/1",
        "storage": "local",
        "storage_dir": folder / "objects",
        "storage_signing_key": "signing key of tests",
        "scratch_dir": folder / "scratch",
        "worker_plugins": "tests.poison",
        "worker_grace": timedelta(seconds=5),
        "job_memory": 128 << 20,
        "job_time": timedelta(seconds=20),
        "retry_first": timedelta(milliseconds=20),
        "housekeeping_interval": timedelta(milliseconds=100),
        **changed,
    }
    parts = (
        part.model_validate({name: value for name, value in values.items() if name in part.model_fields})
        for part in (
            WorkerSettings,
            JobSettings,
            SandboxSettings,
            HousekeepingSettings,
            LedgerSettings,
            QueueSettings,
            StorageSettings,
            WebhookSettings,
        )
    )
    return Settings(*parts)  # type: ignore[arg-type]


class Shop(NamedTuple):
    """What a worker and its test share."""

    settings: Settings
    ledger: RedisLedger
    store: ObjectStore
    queue: DramatiqQueue

    async def bring(
        self,
        content: bytes,
        *,
        stored: bytes | None = None,
        finish_sha256: str | None = None,
        silently: bool = False,
        tenant: TenantId = ANN,
        **spec: Any,
    ) -> Upload:
        """An upload of `content` that is QUEUED, with its bell rung unless `silently`.

        `stored` is what the storage really holds, `finish_sha256` what was declared with the finish.
        """
        asked = UploadSpec(**{"display_name": "a.bin", "size_bytes": len(content), **spec})
        upload_id = new_upload_id()
        await self.ledger.create(upload_id, tenant, asked, limits=LIMITS, expires_in=timedelta(days=1))
        session = await self.ledger.open_write(upload_id, tenant, 0)
        key = UploadKeys(tenant, upload_id).original(session.fence)
        body = content if stored is None else stored
        await self.store.put(key, [body], crc32c=google_crc32c.value(body))
        original = Original(key, len(content), google_crc32c.value(content), finish_sha256)
        upload = await self.ledger.finish(upload_id, session.fence, original, limits=LIMITS, max_attempts=3)
        if not silently:
            self.queue.ring(upload.kind)
        return upload

    async def reaches(self, upload_id: UploadId, *states: State, timeout: float = 60) -> Upload:
        """The record, once it is in one of these states."""

        async def there() -> Upload | None:
            upload = await self.ledger.get(upload_id)
            return upload if upload.state in states else None

        found = await eventually(there, timeout, f"{upload_id} to be {states}")
        assert found is not None
        return found

    async def objects(self, upload: Upload) -> list[str]:
        """Keys of the upload, below its prefix."""
        prefix = UploadKeys(ANN, upload.upload_id).prefix
        return [stored.key.removeprefix(prefix) async for stored in self.store.list(prefix)]

    def scratch_files(self) -> list[Path]:
        """Everything that lies in scratch below the folders of the workers themselves."""
        return list(self.settings.worker.scratch_dir.glob("*/*"))


@asynccontextmanager
async def open_shop(configured: Settings) -> AsyncIterator[Shop]:
    """The shared parts, closed at the end."""
    ledger = await connect(configured.ledger)
    store = open_store(configured.storage)
    queue = DramatiqQueue(open_broker(configured.queue))
    try:
        yield Shop(configured, ledger, store, queue)
    finally:
        await queue.close()
        await store.close()
        await ledger.close()


@asynccontextmanager
async def working(configured: Settings) -> AsyncIterator[WorkerProcess]:
    """A started worker; stopped at the end, running jobs given back."""
    process = await build(configured)
    try:
        await process.start()
        yield process
    finally:
        await process.stop()
