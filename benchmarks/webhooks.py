"""What a webhook costs the ledger: CPU of Redis for a commit that plans a message, and the memory that it takes.

Reference: a commit of a tenant without a webhook, in turn.
"""

from __future__ import annotations

import asyncio
import statistics
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from redis.asyncio import Redis

from mediafleet_core.identity import TenantId, new_upload_id
from mediafleet_core.ledger import LedgerSettings, RedisLedger, connect
from mediafleet_core.media_types import MediaKind
from mediafleet_core.ports import Claim, Original, Outcome
from mediafleet_core.ports.webhooks import EVENT_TYPES
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import Checksums, Rendition, UploadSpec
from mediafleet_devserver.redis_server import redis_server

TENANT = TenantId("acme")
SPEC = UploadSpec(display_name="sunset.jpg", content_type="image/jpeg", size_bytes=1000)
RENDITIONS = tuple(
    Rendition(name=name, key=f"uploads/{name}", content_type="image/jpeg", size_bytes=10_000, sha256="ab" * 32)
    for name in ("small", "medium", "large", "preview")
)
OUTCOME = Outcome(MediaKind.IMAGE, "image/jpeg", Checksums(sha256="ab" * 32), RENDITIONS, None, ())


async def _claimed(ledger: RedisLedger) -> Claim:
    upload_id, limits = new_upload_id(), Limits()
    await ledger.create(upload_id, TENANT, SPEC, limits=limits, expires_in=timedelta(days=1))
    session = await ledger.open_write(upload_id, TENANT, 0)
    await ledger.finish(upload_id, session.fence, Original("key", 1000, 7), limits=limits, max_attempts=3)
    claim = await ledger.claim([MediaKind.IMAGE], "w", timedelta(minutes=5))
    assert claim is not None
    return claim


async def _commits(ledger: RedisLedger, redis: Redis, count: int) -> float:
    """Milliseconds of Redis' CPU for each."""
    claims = [await _claimed(ledger) for _ in range(count)]
    before = await redis.info("cpu")
    for claim in claims:
        await ledger.commit(claim.upload.upload_id, claim.fence, OUTCOME)
    after = await redis.info("cpu")
    names = ("used_cpu_user", "used_cpu_sys")
    return 1000 * sum(float(after[name]) - float(before[name]) for name in names) / count


async def _measure(url: str, commits: int, rounds: int) -> None:
    ledger = await connect(LedgerSettings(ledger_url=url))
    redis = Redis.from_url(url)
    await _commits(ledger, redis, commits)
    without, told = [], []
    for _ in range(rounds):
        await ledger.set_webhooks({})
        without.append(await _commits(ledger, redis, commits))
        await ledger.set_webhooks({TENANT: EVENT_TYPES})
        told.append(await _commits(ledger, redis, commits))
    cost, more = statistics.median(without), statistics.median(told)
    click.echo(f"commit, ms of Redis' CPU: {cost:.3f}, with a message {more:.3f}")
    keys = await redis.keys("mf:message:*")
    sizes = [int(await redis.memory_usage(key, samples=0) or 0) for key in keys]
    lists = [int(await redis.memory_usage(f"mf:{name}:{TENANT}", samples=0) or 0) for name in ("messages", "outbox")]
    click.echo(f"memory of a message with four renditions: {statistics.mean(sizes) + sum(lists) / len(keys):.0f} bytes")
    await redis.aclose()
    await ledger.close()


@click.command(help=__doc__)
@click.option("--commits", default=300, show_default=True, help="Of each half of a round.")
@click.option("--rounds", default=5, show_default=True, help="Measured, after one half that is not.")
def main(commits: int, rounds: int) -> None:
    """Measure and print."""
    with TemporaryDirectory(prefix="mediafleet-bench-") as folder, redis_server(Path(folder)) as url:
        asyncio.run(_measure(url, commits, rounds))


if __name__ == "__main__":
    main()
