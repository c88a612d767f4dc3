"""What integration tests may ask for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.directs import Bucket, bucket
from tests.gateways import Reached, running, settings


@pytest.fixture(scope="module")
def r2() -> Iterator[Bucket]:
    """The storage with R2's rules."""
    with bucket() as made:
        yield made


@pytest.fixture
async def reached(redis_url: str, redis_client: Redis, tmp_path: Path) -> AsyncIterator[Reached]:
    """A gateway on an empty ledger and an empty folder; parts of 64 KiB, tenants with limits to run into."""
    limits = {"strict": {"tenant_bytes": 1000, "allowed_types": ["image/*"], "max_upload_bytes": {"IMAGE": 500}}}
    configured = settings(
        redis_url, tmp_path / "objects", gateway={"tenants": json.dumps(limits)}, intake={"part_bytes": 1 << 16}
    )
    async with running(configured) as gateway:
        yield gateway
