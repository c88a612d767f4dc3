"""Whatever happens to uploads in whatever order: queues, lines and counts say what the records say."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from mediafleet_core.errors import MediafleetError
from mediafleet_core.failures import FailureCode
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.media_types import MediaKind
from mediafleet_core.ports import Claim
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import Priority, State, Upload
from tests.ledgers import ANN, BOB, LEASE, SPEC, failed, ledger_at, outcome, queued

TENANTS = (ANN, BOB, TenantId("cat"))
LIMITS = (
    Limits(),
    Limits(weight=3),
    Limits(running_uploads={MediaKind.IMAGE: 1}),
    Limits(running_uploads={MediaKind.IMAGE: 2, MediaKind.OTHER: 1}, weight=0.5),
)
NAMES = {MediaKind.IMAGE: "a.jpg", MediaKind.OTHER: "a"}
WORKING = {State.PROCESSING, State.CANCELLING}


class World:
    """Some uploads of some tenants, and a worker that may hold on to what it lost."""

    def __init__(self, ledger: RedisLedger, redis: Redis) -> None:
        self.ledger, self.redis = ledger, redis
        self.limits: dict[TenantId, Limits] = {}
        self.uploads: list[tuple[UploadId, TenantId]] = []
        self.claims: list[Claim] = []

    async def bring(self, which: int) -> None:
        tenant, limits = TENANTS[which % 3], LIMITS[which // 3 % 4]
        priority, kind = list(Priority)[which // 12 % 3], list(NAMES)[which // 36 % 2]
        spec = msgspec.structs.replace(SPEC, display_name=NAMES[kind], content_type="", priority=priority)
        self.limits[tenant] = limits
        upload = await queued(self.ledger, spec, tenant, limits)
        self.uploads.append((upload.upload_id, tenant))

    async def claim(self, which: int) -> None:
        kinds = list(NAMES) if which % 2 else list(NAMES)[::-1]
        records = await self.records()
        ready = {upload.upload_id: upload for upload in records if self.may_run(upload, records)}
        claim = await self.ledger.claim(kinds, "w", LEASE)
        if claim is None:
            assert not ready
        else:
            self.claims.append(claim)
            same = [upload for upload in ready.values() if upload.kind is claim.upload.kind]
            assert rank(ready[claim.upload.upload_id]) == min(map(rank, same)), "a lower priority was served"

    async def commit(self, which: int) -> None:
        if self.claims:
            claim = self.claims[which % len(self.claims)]
            await self.ledger.commit(claim.upload.upload_id, claim.fence, outcome(list(NAMES)[which % 2]))

    async def fail(self, which: int) -> None:
        if self.claims:
            claim = self.claims[which % len(self.claims)]
            end = failed(FailureCode.TIMED_OUT, 1 + which % 3, timedelta(hours=which % 2), discard=which % 7 == 0)
            await self.ledger.fail_attempt(claim.upload.upload_id, claim.fence, end)

    async def release(self, which: int) -> None:
        if self.claims:
            claim = self.claims[which % len(self.claims)]
            await self.ledger.release(claim.upload.upload_id, claim.fence)

    async def renew(self, which: int) -> None:
        if self.claims:
            claim = self.claims[which % len(self.claims)]
            await self.ledger.renew(claim.upload.upload_id, claim.fence, LEASE)

    async def lose_leases(self, _: int) -> None:
        for kind in NAMES:
            for upload_id in await self.redis.zrange(f"mf:running:{kind}", 0, 1):
                await self.redis.zadd(f"mf:running:{kind}", {str(upload_id): 0})
        await self.redis.set("mf:leases:wait", 0)
        await self.ledger.end_lost_leases(LEASE)

    async def cancel(self, which: int) -> None:
        if self.uploads:
            await self.ledger.cancel(*self.uploads[which % len(self.uploads)], "")

    async def retry(self, which: int) -> None:
        if self.uploads:
            await self.ledger.retry(*self.uploads[which % len(self.uploads)], max_attempts=3)

    async def delete(self, which: int) -> None:
        if self.uploads:
            await self.ledger.delete(*self.uploads[which % len(self.uploads)])

    async def records(self) -> list[Upload]:
        found = []
        for upload_id, _ in self.uploads:
            if await self.redis.exists(f"mf:u:{upload_id}"):
                found.append(await self.ledger.get(upload_id))
        return found

    def may_run(self, upload: Upload, among: list[Upload]) -> bool:
        due = upload.state is State.QUEUED and (
            upload.next_attempt_time is None or upload.next_attempt_time < upload.create_time + timedelta(minutes=30)
        )
        held = [each for each in among if each.state in WORKING]
        running = sum(each.kind is upload.kind and each.tenant == upload.tenant for each in held)
        return due and running < self.limits[upload.tenant].running_uploads.get(upload.kind, 1000)


def rank(upload: Upload) -> int:
    return list(Priority).index(upload.spec.priority)


async def members(redis: Redis, pattern: str) -> dict[str, set[str]]:
    """The members of every sorted set that is called so, by what follows in its name."""
    prefix = pattern.removesuffix("*")
    return {
        key.removeprefix(prefix): {str(member) for member in await redis.zrange(key, 0, -1)}
        async for key in redis.scan_iter(pattern)
    }


async def check(world: World) -> None:
    records, redis = await world.records(), world.redis
    waiting, delayed = await members(redis, "mf:waiting:*"), await members(redis, "mf:delayed:*")
    lines, held = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    running_of = Counter[tuple[str, str]]()
    for upload in records:
        if upload.state is State.QUEUED and upload.upload_id not in delayed.get(upload.kind, ()):
            lines[f"{upload.kind}:{upload.spec.priority}:{upload.tenant}"].add(upload.upload_id)
        if upload.state in WORKING:
            held[upload.kind].add(upload.upload_id)
            running_of[upload.kind, upload.tenant] += 1
    assert await members(redis, "mf:line:*") == lines
    assert await members(redis, "mf:running:*") == held
    for kind in NAMES:
        assert waiting.get(kind, set()) == set().union(*(ids for name, ids in lines.items() if name.startswith(kind)))
        assert delayed.get(kind, set()) <= {each.upload_id for each in records if each.state is State.QUEUED}
        counts = {name: int(n) for name, n in (await redis.hgetall(f"mf:running_of:{kind}")).items()}
        assert counts == {tenant: n for (of, tenant), n in running_of.items() if of == kind}
    dead = defaultdict[str, set[str]](set)
    for upload in records:
        if upload.state is State.FAILED and upload.original_key:
            dead[upload.kind].add(upload.upload_id)
    for kind in NAMES:
        assert {str(member) for member in await redis.smembers(f"mf:dead:{kind}")} == dead[kind]
    turns = defaultdict[str, set[str]](set)
    for name in lines:
        of, priority, tenant = name.split(":")
        most = world.limits[TenantId(tenant)].running_uploads.get(MediaKind(of), 1000)
        if running_of[of, tenant] < most:
            turns[f"{of}:{priority}"].add(tenant)
    assert await members(redis, "mf:turns:*") == turns
    for name, resting in (await members(redis, "mf:rests:*")).items():
        assert not resting & turns[name]


ACTIONS: list[Callable[[World, int], Awaitable[None]]] = [
    World.bring, World.bring, World.bring, World.claim, World.claim, World.claim, World.commit, World.fail,
    World.release, World.renew, World.lose_leases, World.cancel, World.retry, World.delete,
]  # fmt: skip


async def play(redis_url: str, script: list[tuple[int, int]]) -> None:
    async with Redis.from_url(redis_url, protocol=2, decode_responses=True) as redis:
        await redis.flushall()
        async with ledger_at(redis_url) as ledger:
            world = World(ledger, redis)
            await ledger.end_lost_leases(LEASE)
            for action, argument in script:
                with contextlib.suppress(MediafleetError):  # a refused step; what it leaves is checked as well
                    await ACTIONS[action](world, argument)
                await check(world)


@settings(max_examples=100, deadline=None)
@given(script=st.lists(st.tuples(st.integers(0, len(ACTIONS) - 1), st.integers(0, 71)), max_size=40))
def test_queues_and_counts_follow_the_records(redis_url: str, script: list[tuple[int, int]]) -> None:
    asyncio.run(play(redis_url, script))
