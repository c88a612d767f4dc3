"""Takeovers leave gaps between part numbers, and tails beside them: every store makes the same object of that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from redis.asyncio import Redis

from mediafleet_core import lifecycle
from mediafleet_core.intake import IntakeSettings
from mediafleet_core.intake.crc32c import checksum
from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.parts import PARTS_IN_FLIGHT
from mediafleet_core.ports import ObjectStore
from mediafleet_core.uploads import Checksums, State
from tests.intakes import ANN, LIMITS, site, some_bytes

MIB = 1 << 20
SMALLEST = 5 * MIB
FILE = some_bytes(3 * SMALLEST + MIB)


async def test_a_file_written_by_several_writers_is_whole(
    redis_url: str, redis_client: Redis, tmp_path: Path, store: ObjectStore
) -> None:
    async with site(redis_url, tmp_path, IntakeSettings(part_bytes=SMALLEST), store) as here:
        upload = await here.created(len(FILE), "film.mov")
        for start, stop in ((0, 6 * MIB), (6 * MIB, 12 * MIB)):
            writer = await here.intake.open(upload.upload_id, ANN, start, limits=LIMITS)
            for offset in range(start, stop, MIB):
                await writer.write(offset, FILE[offset : offset + MIB])
            assert await writer.suspend() == stop
        session = await here.ledger.open_write(upload.upload_id, ANN, 0)
        assert [part.number for part in session.parts] == [1, 2 + PARTS_IN_FLIGHT]
        writer = await here.intake.open(upload.upload_id, ANN, 12 * MIB, limits=LIMITS)
        for offset in range(12 * MIB, len(FILE), MIB):
            await writer.write(offset, FILE[offset : offset + MIB])
        finished = await writer.finish(Checksums(crc32c=checksum(FILE)))
        assert finished.state is State.QUEUED
        assert await here.content(upload) == FILE
        keys = UploadKeys(ANN, upload.upload_id)
        assert [stored.key async for stored in store.list(keys.prefix)] == [finished.original_key]
        assert [found async for found in store.list_multiparts(keys.prefix)] == []
        head = await store.head(finished.original_key)
        assert head is not None
        assert (head.size, head.content_type) == (len(FILE), "video/quicktime")
        assert "spec" in head.metadata


async def test_a_cancelled_upload_leaves_nothing(
    redis_url: str, redis_client: Redis, tmp_path: Path, store: ObjectStore
) -> None:
    async with site(redis_url, tmp_path, IntakeSettings(part_bytes=SMALLEST), store) as here:
        upload = await here.created()
        writer = await here.intake.open(upload.upload_id, ANN, 0, limits=LIMITS)
        for offset in range(0, 6 * MIB, MIB):
            await writer.write(offset, FILE[offset : offset + MIB])
        await writer.suspend()
        await here.lifecycle.cancel(upload.upload_id, ANN, "")
        keys = UploadKeys(ANN, upload.upload_id)
        assert [stored.key async for stored in store.list(keys.prefix)] == []
        assert [found async for found in store.list_multiparts(keys.prefix)] == []
        await writer.abandon()


async def test_a_caller_does_not_wait_for_the_sweep_of_a_slow_storage(
    redis_url: str, redis_client: Redis, tmp_path: Path, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage_goes_on, delete = asyncio.Event(), store.delete

    async def late(keys: Sequence[str]) -> None:
        await storage_goes_on.wait()
        await delete(keys)

    monkeypatch.setattr(lifecycle, "SWEEP_PATIENCE", 0.01)
    monkeypatch.setattr(store, "delete", late)
    async with site(redis_url, tmp_path, IntakeSettings(part_bytes=SMALLEST), store) as here:
        upload = await here.created()
        writer = await here.intake.open(upload.upload_id, ANN, 0, limits=LIMITS)
        await writer.write(0, FILE[:MIB])
        await writer.suspend()
        keys = UploadKeys(ANN, upload.upload_id)
        assert [stored.key async for stored in store.list(keys.prefix)]
        cancelled = await here.lifecycle.cancel(upload.upload_id, ANN, "")
        assert cancelled.state is State.CANCELLED
        storage_goes_on.set()
        await here.lifecycle.settled()
        assert [stored.key async for stored in store.list(keys.prefix)] == []
        await writer.abandon()
