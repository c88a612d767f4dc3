"""Steps of the ledger, one after the other, against one SET on the same Redis: how long the caller waits."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from benchmarks.fleets.ours import create_job, finish_job
from benchmarks.pairs import Pair, measure_all, quantile
from mediafleet_core.ledger import LedgerSettings, RedisLedger, connect
from mediafleet_core.ledger.connection import Connection
from mediafleet_core.media_types import MediaKind
from mediafleet_core.ports import Claim
from mediafleet_core.progress import WorkProgress
from mediafleet_core.uploads import Upload
from mediafleet_devserver.redis_server import redis_server
from tests.ledgers import LEASE, outcome

UPLOADS = 500
"""Uploads of one round; each takes four transitions and one report of progress."""

_UNITS = ("ms, p50", "ms, p99")
_PROGRESS = WorkProgress(percent=40.0, stage="process", step="render", items_done=1, items_total=4)
_T = TypeVar("_T")
_S = TypeVar("_S")


async def _timed(step: Callable[[_T], Awaitable[_S]], things: Iterable[_T], times: list[float]) -> list[_S]:
    """What the step answers for each, in turn; the milliseconds of each are added to `times`."""
    answers = []
    for thing in things:
        begun = time.perf_counter()
        answers.append(await step(thing))
        times.append((time.perf_counter() - begun) * 1000)
    return answers


class _Ledger:
    """A ledger with so many uploads under way as a round has."""

    def __init__(self, ledger: RedisLedger) -> None:
        self._ledger = ledger

    async def transitions(self) -> tuple[float, ...]:
        """Creation, finish, claim and commit of all uploads."""
        times: list[float] = []
        sessions = await _timed(lambda _: create_job(self._ledger), range(UPLOADS), times)
        await _timed(lambda session: finish_job(self._ledger, session), sessions, times)
        claims = await _timed(self._claim, range(UPLOADS), times)
        await _timed(self._commit, claims, times)
        return _quantiles(times)

    async def progress(self) -> tuple[float, ...]:
        """A report of progress for each of them."""
        for _ in range(UPLOADS):
            await finish_job(self._ledger, await create_job(self._ledger))
        claims = [await self._claim(number) for number in range(UPLOADS)]
        times: list[float] = []
        await _timed(
            lambda claim: self._ledger.renew(claim.upload.upload_id, claim.fence, LEASE, _PROGRESS), claims, times
        )
        for claim in claims:
            await self._commit(claim)
        return _quantiles(times)

    async def figures(self) -> tuple[float, ...]:
        """Looks at the figures of the fleet."""
        times: list[float] = []
        await _timed(lambda _: self._ledger.figures(), range(UPLOADS), times)
        return _quantiles(times)

    async def _claim(self, _: int) -> Claim:
        claim = await self._ledger.claim(list(MediaKind), "w", LEASE)
        assert claim is not None
        return claim

    async def _commit(self, claim: Claim) -> Upload | None:
        return await self._ledger.commit(claim.upload.upload_id, claim.fence, outcome(MediaKind.OTHER))


async def _sets(connection: Connection) -> tuple[float, ...]:
    times: list[float] = []
    await _timed(lambda number: connection.call("SET", f"bench:{number}", "x" * 100), range(4 * UPLOADS), times)
    return _quantiles(times)


def _quantiles(times: list[float]) -> tuple[float, ...]:
    return statistics.median(times), quantile(times, 99)


def run(rounds: int) -> Iterator[Pair]:
    """Transitions, reports of progress, looks at all figures; Redis syncs its log for each (`appendfsync always`)."""
    with (
        TemporaryDirectory(prefix="mediafleet-bench-") as folder,
        redis_server(Path(folder)) as url,
        asyncio.Runner() as runner,
    ):
        settings = LedgerSettings(ledger_url=url)
        connection, ledger = Connection(settings), runner.run(connect(settings))
        subject, reference = _Ledger(ledger), ("one SET", lambda: runner.run(_sets(connection)))
        for name, step in (
            ("transition", subject.transitions),
            ("report of progress", subject.progress),
            ("look at the fleet's figures", subject.figures),
        ):
            ours = (f"a {name}", lambda step=step: runner.run(step()))
            yield from measure_all(f"Ledger: a {name}", _UNITS, ours, reference, rounds=rounds)
        runner.run(ledger.close())
        runner.run(connection.close())
