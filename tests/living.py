"""Uploads that live, each step by itself: what is stored and what is counted come apart and together again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import google_crc32c
from redis.asyncio import Redis

from mediafleet_core import cleanup
from mediafleet_core.failures import FailureCode
from mediafleet_core.identity import UploadId
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.media_types import MediaKind
from mediafleet_core.object_keys import UploadKeys, counted_for
from mediafleet_core.ports import ObjectStore, Original, Outcome
from mediafleet_core.uploads import Checksums, Rendition, UploadSpec
from mediafleet_core.usage import Stored
from tests.ledgers import ANN, BOB, LEASE, LIMITS, created, failed

SPECS = (
    (ANN, UploadSpec(display_name="a.jpg", size_bytes=1000, collection="trip")),
    (ANN, UploadSpec(display_name="b.jpg", size_bytes=1000)),
    (BOB, UploadSpec(display_name="c.jpg", collection="trip")),
)
"""One of them does not know its size."""


@dataclass
class Life:
    """One upload; the fences of those who write to it and of who works on it, which may be stale; what they stored."""

    keys: UploadKeys
    writers: list[int] = field(default_factory=list)
    worker: int = 0
    originals: dict[int, Original] = field(default_factory=dict)
    made: list[Rendition] = field(default_factory=list)


class World:
    """A ledger, a store, and uploads that come into being; every public method is a step, and may be refused."""

    def __init__(self, ledger: RedisLedger, store: ObjectStore, redis: Redis) -> None:
        self._ledger, self._store, self._redis = ledger, store, redis
        self._lives: dict[UploadId, Life] = {}

    async def create(self, number: int) -> None:
        tenant, spec = SPECS[number % len(SPECS)]
        upload = await created(self._ledger, spec, tenant)
        self._lives[upload.upload_id] = Life(UploadKeys(tenant, upload.upload_id))

    async def open_write(self, number: int) -> None:
        life = self._one(number)
        session = await self._ledger.open_write(life.keys.upload_id, life.keys.tenant, 0)
        life.writers += [session.fence] if session.fence else []

    async def write(self, number: int) -> None:
        life = self._one(number)
        for fence in _some(life.writers, number):
            life.originals[fence] = Original(life.keys.original(fence), 1000, 0)
            await self._put(life.originals[fence].key, 1000)

    async def write_tail(self, number: int) -> None:
        life = self._one(number)
        for fence in _some(life.writers, number):
            await self._put(life.keys.tail(fence), 100)

    async def finish(self, number: int) -> None:
        life = self._one(number)
        for fence in _some(list(life.originals), number):
            original = life.originals.pop(fence)
            life.writers.remove(fence)
            await self._ledger.finish(life.keys.upload_id, fence, original, limits=LIMITS, max_attempts=3)

    async def reject(self, number: int) -> None:
        life = self._one(number)
        for fence in _some(life.writers, number):
            await self._ledger.reject(life.keys.upload_id, fence, FailureCode.OBJECT_CHECKSUM_MISMATCH, "")

    async def claim(self, number: int) -> None:
        claim = await self._ledger.claim([MediaKind.IMAGE], "w", LEASE)
        if claim is not None:
            life = self._lives[claim.upload.upload_id]
            life.worker, life.made = claim.fence, []

    async def make(self, number: int) -> None:
        life = self._one(number)
        if life.worker:
            key = life.keys.rendition(life.worker, f"r{len(life.made)}", ".jpg")
            made = Rendition(name=key, key=key, content_type="image/jpeg", size_bytes=10, sha256="", width=1, height=1)
            life.made.append(made)
            await self._put(key, made.size_bytes)

    async def commit(self, number: int) -> None:
        life = self._one(number)
        kind = MediaKind.OTHER if number % 5 == 0 else MediaKind.IMAGE
        outcome = Outcome(kind, "image/jpeg", Checksums(sha256="ab" * 32), tuple(life.made), None, ())
        await self._ledger.commit(life.keys.upload_id, life.worker, outcome)
        life.worker = 0

    async def fail(self, number: int) -> None:
        life = self._one(number)
        end = failed(FailureCode.TIMED_OUT, 1 + number % 2, discard=number % 5 == 0)
        await self._ledger.fail_attempt(life.keys.upload_id, life.worker, end)
        life.worker = 0

    async def lose(self, number: int) -> None:
        """The worker dies, or is only silent: it may still store."""
        await self._redis.zadd("mf:running:IMAGE", {self._one(number).keys.upload_id: 0}, xx=True)
        await self._redis.set("mf:leases:wait", 0)
        await self._ledger.end_lost_leases(LEASE)

    async def cancel(self, number: int) -> None:
        keys = self._one(number).keys
        await self._ledger.cancel(keys.upload_id, keys.tenant, "")

    async def retry(self, number: int) -> None:
        keys = self._one(number).keys
        await self._ledger.retry(keys.upload_id, keys.tenant, max_attempts=3)

    async def expire(self, number: int) -> None:
        for due in ("expiry", "retained"):
            await self._redis.zadd(f"mf:{due}", {self._one(number).keys.upload_id: 0}, xx=True)
        await self._ledger.expire(10)

    async def delete(self, number: int) -> None:
        keys = self._one(number).keys
        await self._ledger.delete(keys.upload_id, keys.tenant)

    async def prune(self, number: int) -> None:
        """Days later: what was late has come, and is swept."""
        upload_id = self._one(number).keys.upload_id
        upload = await self._ledger.get(upload_id)
        if upload.state.terminal and len(self._lives) > 1:
            await sweep_all(self._ledger, self._store, self._redis, upload_id)
            await self._ledger.manifest_written(upload)
            if await self._ledger.prune_upload(upload, objects=number % 2 == 0):
                del self._lives[upload_id]

    async def sweep(self, number: int) -> None:
        for planned in await self._ledger.sweeps(1 + number % 3):
            await cleanup.sweep(self._store, self._ledger, planned)

    def _one(self, number: int) -> Life:
        lives = list(self._lives.values())
        return lives[number % len(lives)]

    async def _put(self, key: str, size: int) -> None:
        body = bytes(size)
        await self._store.put(key, [body], crc32c=google_crc32c.value(body))


def _some(fences: Sequence[int], number: int) -> Sequence[int]:
    """One of them, if there is any."""
    return fences[number % len(fences) :][:1] if fences else ()


STEPS: list[Callable[[World, int], Awaitable[None]]] = [
    step for name, step in vars(World).items() if not name.startswith("_")
]


async def rest(ledger: RedisLedger, store: ObjectStore, redis: Redis) -> None:
    """Nothing is under way any more: leases and the time to finish are over, every sweep ran twice."""
    for key in ("mf:running:IMAGE", "mf:expiry"):
        await _make_due(redis, key)
    await redis.set("mf:leases:wait", 0)
    await ledger.end_lost_leases(timedelta(0))
    await ledger.expire(1000)
    await sweep_all(ledger, store, redis)


async def sweep_all(ledger: RedisLedger, store: ObjectStore, redis: Redis, upload_id: str = "") -> None:
    """Run every sweep, or those of one upload, and then its repetition."""
    for _ in range(2):
        await _make_due(redis, "mf:sweeps", upload_id)
        for planned in await ledger.sweeps(1000):
            await cleanup.sweep(store, ledger, planned)


async def _make_due(redis: Redis, key: str, containing: str = "") -> None:
    for member in await redis.zrange(key, 0, -1):
        if isinstance(member, bytes) and containing in member.decode():
            await redis.zadd(key, {member.decode(): 0})


async def stored(store: ObjectStore, prefix: str = "") -> Stored:
    """Originals and renditions as the bucket has them."""
    return sum([Stored(each.size, 1) async for each in store.list(prefix) if counted_for(each.key)], Stored())
