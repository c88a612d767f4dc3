"""A bucket that is away: callers learn of it at once, and nobody hammers it meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.storage import open_store
from mediafleet_devserver.r2.faults import Fault, FaultKind
from tests.buckets import Bucket, bucket
from tests.waiting import eventually

OPENS_AFTER = 3


class Asked:
    """A store, and the endpoint that it asks."""

    def __init__(self, bucket: Bucket) -> None:
        self.faults, self.store = bucket.faults, open_store(bucket.settings)

    async def refused(self) -> MediafleetError:
        with pytest.raises(MediafleetError) as caught:
            await self.store.head("uploads/none")
        assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
        return caught.value

    async def answers(self) -> bool:
        try:
            return await self.store.head("uploads/none") is None
        except MediafleetError:
            return False


@asynccontextmanager
async def asking(cooldown: timedelta = timedelta(minutes=1)) -> AsyncIterator[Asked]:
    with bucket("media-breaker", storage_breaker_failures=OPENS_AFTER, storage_breaker_cooldown=cooldown) as behind:
        opened = Asked(behind)
        yield opened
        await opened.store.close()


def state(name: str) -> float | None:
    return REGISTRY.get_sample_value("mediafleet_storage_circuit", {"state": name})


async def opened(asked: Asked) -> None:
    asked.faults.plan([Fault(kind=FaultKind.UNAVAILABLE)])
    for _ in range(OPENS_AFTER):
        await asked.refused()


async def test_a_dead_bucket_is_left_alone() -> None:
    async with asking() as asked:
        await opened(asked)
        assert (state("closed"), state("open")) == (0, 1)
        before = asked.faults.struck.total()
        refused = await asked.refused()
        assert refused.retry_after is not None
        assert refused.retry_after >= 1.0
        assert asked.faults.struck.total() == before


async def test_a_bucket_that_is_back_is_found_again() -> None:
    async with asking(cooldown=timedelta(milliseconds=300)) as asked:
        await opened(asked)
        asked.faults.plan([])
        await eventually(asked.answers)
        assert (state("closed"), state("open")) == (1, 0)


async def test_a_missing_object_never_opens_it() -> None:
    async with asking() as asked:
        for _ in range(3 * OPENS_AFTER):
            assert await asked.answers()
        assert state("closed") == 1
