"""A slot and the ledger: what was claimed is held by somebody."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from redis.asyncio import Redis

from mediafleet_core.ledger import RedisLedger
from mediafleet_core.ledger.connection import unavailable
from mediafleet_core.ports import Claim, WorkLedger
from mediafleet_workers.jobs.runner import JobRunner
from mediafleet_workers.jobs.slots import Slots
from tests.workers import open_shop, settings


class Unheard:
    """A ledger that does what it is asked, and whose first answer is lost."""

    def __init__(self, ledger: RedisLedger) -> None:
        self._ledger = ledger
        self._heard = False

    async def claim(self, *asked: Any, **named: Any) -> Claim | None:
        answer = await self._ledger.claim(*asked, **named)
        if not self._heard:
            self._heard = True
            raise unavailable()
        return answer


class Runner:
    """Takes jobs and does nothing."""

    def __init__(self) -> None:
        self.claims: list[Claim] = []

    async def run(self, claim: Claim) -> None:
        self.claims.append(claim)


async def test_what_was_claimed_unheard_is_worked_on(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    configured = settings(redis_url, tmp_path)
    runner = Runner()
    async with open_shop(configured) as shop:
        upload = await shop.bring(b"words", silently=True)
        ledger = cast("WorkLedger", Unheard(shop.ledger))
        await Slots(ledger, shop.queue, cast("JobRunner", runner), configured.worker, configured.job).answer()
    assert [(claim.upload.upload_id, claim.fence) for claim in runner.claims] == [(upload.upload_id, 2)]
