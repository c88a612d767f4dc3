"""Ours: `python -m benchmarks.fleets.ours send|work URL SLOTS`, the worker process with its ledger, bells and logs.

Storage is one that forgets, and the body runs in this process unless BENCH_SANDBOX is set.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

import mediafleet_workers.bootstrap
import mediafleet_workers.main
from benchmarks.fleets.body import AT_ONCE, STARTS, body, obey
from mediafleet_core.identity import TenantId, new_upload_id
from mediafleet_core.ledger import LedgerSettings, RedisLedger, connect
from mediafleet_core.media_types import MediaKind
from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.ports import Original, StoredObject, UnfinishedMultipart, WriteSession
from mediafleet_core.queue import DramatiqQueue, QueueSettings, open_broker
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import Priority, Upload, UploadSpec
from mediafleet_workers.pipeline.job import PipelineResult
from mediafleet_workers.sandbox.sandbox import Sandbox
from tests.intakes import other_database

SANDBOX = "BENCH_SANDBOX"
LIMITS = Limits()
DAY = timedelta(days=1)
_NOTHING = msgspec.json.encode(PipelineResult(kind=MediaKind.OTHER, content_type="application/octet-stream"))


class ForgetfulStore:
    """As much of an `ObjectStore` as a worker needs for empty originals without renditions."""

    signs_parts = False

    async def put(self, key: str, body: Sequence[bytes], **_: object) -> StoredObject:
        return StoredObject(key, sum(map(len, body)), "")

    async def read(self, key: str) -> AsyncGenerator[bytes, None]:
        for chunk in list[bytes]():
            yield chunk

    async def delete(self, keys: Sequence[str]) -> None: ...

    async def list(self, prefix: str, *, after: str = "") -> AsyncIterator[StoredObject]:
        for stored in list[StoredObject]():
            yield stored

    async def list_multiparts(self, prefix: str) -> AsyncIterator[UnfinishedMultipart]:
        for multipart in list[UnfinishedMultipart]():
            yield multipart

    async def close(self) -> None: ...


class NoSandbox:
    """Does nothing, here, in place of a child's work."""

    pid = None

    def __init__(self, *_: object, **__: object) -> None:
        self._body = body()

    async def start(self, folder: Path, *, strict: bool) -> None: ...

    async def run(self, *_: object) -> bytes:
        self._body()
        return _NOTHING

    async def close(self) -> None: ...


class NotedSandbox(Sandbox):
    """The product's, with starts noted in front of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._body = body()

    async def run(self, *arguments: Any) -> bytes:
        self._body()
        return await super().run(*arguments)


async def create_job(
    ledger: RedisLedger, tenant: str = "local", priority: Priority = Priority.NORMAL, name: str = "job.bin"
) -> WriteSession:
    """The first step of UploadFile for an empty file."""
    spec = UploadSpec(display_name=name, size_bytes=0, priority=priority)
    return await ledger.create(new_upload_id(), TenantId(tenant), spec, limits=LIMITS, expires_in=DAY, opened=True)


async def finish_job(ledger: RedisLedger, session: WriteSession) -> Upload:
    """The second: its original is durable, the job is due."""
    upload = session.upload
    original = Original(UploadKeys(upload.tenant, upload.upload_id).original(session.fence), 0, 0)
    return await ledger.finish(upload.upload_id, session.fence, original, limits=LIMITS, max_attempts=3)


async def _send(url: str) -> None:
    ledger = await connect(LedgerSettings(ledger_url=url))
    queue = DramatiqQueue(open_broker(QueueSettings(broker_url=other_database(url))))
    loop = asyncio.get_running_loop()

    async def some(share: range) -> None:
        for _ in share:
            await finish_job(ledger, await create_job(ledger))
            queue.ring(MediaKind.OTHER)

    async def send(count: int) -> None:
        await asyncio.gather(*(some(range(first, count, AT_ONCE)) for first in range(AT_ONCE)))

    # The loop goes on while nothing is sent: bells are rung behind the senders' backs.
    await asyncio.to_thread(obey, lambda count: asyncio.run_coroutine_threadsafe(send(count), loop).result())


def _work(url: str, slots: int) -> int:
    bootstrap: Any = mediafleet_workers.bootstrap
    bootstrap.open_store = lambda *_: ForgetfulStore()
    bootstrap.Sandbox = NotedSandbox if os.environ.get(SANDBOX) else NoSandbox
    os.environ |= {
        "MEDIAFLEET_LEDGER_URL": url,
        "MEDIAFLEET_BROKER_URL": other_database(url),
        "MEDIAFLEET_STORAGE": "local",
        "MEDIAFLEET_STORAGE_DIR": "unused",
        "MEDIAFLEET_STORAGE_SIGNING_KEY": "unused, as it signs nothing",
        "MEDIAFLEET_SCRATCH_DIR": str(Path(os.environ[STARTS]).parent / "scratch"),
        "MEDIAFLEET_WORKER_SLOTS": str(slots),
    }
    return mediafleet_workers.main.main()


if __name__ == "__main__":
    role, url, slots = sys.argv[1], sys.argv[2], int(sys.argv[3])
    sys.exit(asyncio.run(_send(url)) if role == "send" else _work(url, slots))
