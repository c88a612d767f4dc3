"""The receive leg in the ledger, against a real Redis: percent follows bytes, and the ETA their recent rate."""

from __future__ import annotations

import msgspec
from redis.asyncio import Redis

from mediafleet_core.ledger import RedisLedger
from mediafleet_core.parts import MIB, Part
from mediafleet_core.progress import RECEIVED_PERCENT, Progress
from mediafleet_core.uploads import Upload
from tests.ledgers import ANN, LIMITS, SPEC, created, finished

SIZE = 32 * MIB
PARTS = tuple(Part(number=n + 1, offset=n * 8 * MIB, size=8 * MIB, crc32c=1, etag="e") for n in range(4))


async def receiving(ledger: RedisLedger) -> tuple[Upload, int]:
    """An upload of four parts, opened for writing, and its fence."""
    upload = await created(ledger, msgspec.structs.replace(SPEC, size_bytes=SIZE))
    session = await ledger.open_write(upload.upload_id, ANN, 0)
    await ledger.attach_multipart(upload.upload_id, session.fence, "key", "mp")
    return upload, session.fence


async def move_clock(redis: Redis, upload: Upload, milliseconds: int) -> None:
    """As if what was recorded last had been so long ago."""
    key = f"mf:u:{upload.upload_id}"
    at, *rest = msgspec.json.decode(await redis.hget(key, "flow") or b"")
    await redis.hset(key, "flow", msgspec.json.encode([at - milliseconds, *rest]))


async def progress(ledger: RedisLedger, upload: Upload) -> Progress:
    return (await ledger.get(upload.upload_id)).progress


async def test_percent_follows_the_bytes_and_the_eta_their_rate(ledger: RedisLedger, redis_client: Redis) -> None:
    upload, fence = await receiving(ledger)
    assert (await progress(ledger, upload)).eta_seconds is None, "nothing came yet"
    for part in PARTS[:3]:
        await move_clock(redis_client, upload, 4_000)
        done = await ledger.record_part(upload.upload_id, fence, part, limits=LIMITS)
        now = await progress(ledger, upload)
        assert (now.bytes_done, now.bytes_total) == (done, SIZE)
        assert now.percent == round(RECEIVED_PERCENT * done / SIZE, 1)
        assert now.eta_seconds is not None
        left = (SIZE - done) / (2 * MIB)
        assert left - 1 < now.eta_seconds < left + 4, "8 MiB in 4 s, and then the work"
    await ledger.record_part(upload.upload_id, fence, PARTS[3], limits=LIMITS)
    queued = await finished(ledger, upload, fence)
    assert (queued.progress.percent, queued.progress.eta_seconds) == (RECEIVED_PERCENT, None), "a queue cannot be told"


async def test_the_eta_of_a_caller_who_has_gone_cannot_be_told(ledger: RedisLedger, redis_client: Redis) -> None:
    upload, fence = await receiving(ledger)
    await ledger.record_part(upload.upload_id, fence, PARTS[0], limits=LIMITS)
    assert (await progress(ledger, upload)).eta_seconds is not None
    await move_clock(redis_client, upload, 60_000)
    assert (await progress(ledger, upload)).eta_seconds is None


async def test_the_time_without_a_writer_says_nothing_of_the_rate(ledger: RedisLedger, redis_client: Redis) -> None:
    upload, fence = await receiving(ledger)
    await move_clock(redis_client, upload, 4_000)
    await ledger.record_part(upload.upload_id, fence, PARTS[0], limits=LIMITS)
    await move_clock(redis_client, upload, 3_600_000)
    session = await ledger.open_write(upload.upload_id, ANN, 8 * MIB)
    await move_clock(redis_client, upload, 4_000)
    second = msgspec.structs.replace(PARTS[1], number=session.next_number)
    await ledger.record_part(upload.upload_id, session.fence, second, limits=LIMITS)
    eta = (await progress(ledger, upload)).eta_seconds
    assert eta is not None
    assert 7 < eta < 12
