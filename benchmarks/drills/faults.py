"""The drills: what is broken, which alerts have to come, and which may come along."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from typing import NamedTuple

from benchmarks.drills.fleet import Fleet
from mediafleet import AsyncClient, MediafleetError


class Drill(NamedTuple):
    """One fault. `strike` returns when it is done; what it does lasts until the fleet ends."""

    name: str
    text: str
    strike: Callable[[Fleet, AsyncExitStack], Awaitable[None]]
    expected: frozenset[str]
    companions: frozenset[str] = frozenset()
    """Alerts that may fire, too: what follows from the fault if it lasts."""
    watched: float = 20
    """Seconds to look for alerts that should not come, after those that should."""


async def _picture_workers(fleet: Fleet, stack: AsyncExitStack) -> None:
    fleet.kill_for_good("worker-image")


async def _all_workers(fleet: Fleet, stack: AsyncExitStack) -> None:
    fleet.kill_for_good("worker-")


async def _gateways(fleet: Fleet, stack: AsyncExitStack) -> None:
    fleet.kill_for_good("gateway-")


async def _redis(fleet: Fleet, stack: AsyncExitStack) -> None:
    fleet.freeze(fleet.server.pids["redis"])


async def _denied(fleet: Fleet, stack: AsyncExitStack) -> None:
    fleet.plan_faults([{"kind": "403"}])


async def _away(fleet: Fleet, stack: AsyncExitStack) -> None:
    fleet.plan_faults([{"kind": "503"}])


async def _filled(fleet: Fleet, stack: AsyncExitStack) -> None:
    """More pictures than slots, each of which takes seconds, for as long as the drill lasts."""
    client = await stack.enter_async_context(fleet.client())

    async def send(number: int) -> None:
        while True:
            with suppress(MediafleetError):
                await client.upload(f"POISON:rest:4\n{number} {time.monotonic()}".encode(), display_name="a.jpg")
            await asyncio.sleep(0.5)

    senders = [asyncio.create_task(send(number)) for number in range(4)]
    stack.callback(lambda: [sender.cancel() for sender in senders])


async def _poison(fleet: Fleet, stack: AsyncExitStack) -> None:
    await _send_poison(fleet, 1)


async def _much_poison(fleet: Fleet, stack: AsyncExitStack) -> None:
    await _send_poison(fleet, 40)


async def _send_poison(fleet: Fleet, count: int) -> None:
    """Files that crash their decoder, to the end of each."""
    async with fleet.client(timeout=30) as client:
        uploads = [
            await client.upload(f"POISON:crash\n{number}".encode(), display_name="a.jpg") for number in range(count)
        ]
        await asyncio.gather(*(client.wait(upload.upload_id, timeout=90) for upload in uploads))


async def _slow_watchers(fleet: Fleet, stack: AsyncExitStack) -> None:
    """Watchers of everything that take a message in every so often."""
    client = await stack.enter_async_context(fleet.client())

    async def watch(client: AsyncClient) -> None:
        async for _ in client.watch_many():
            await asyncio.sleep(1)

    watchers = [asyncio.create_task(watch(client)) for _ in range(8)]
    stack.callback(lambda: [watcher.cancel() for watcher in watchers])


DRILLS: Sequence[Drill] = (
    Drill(
        "picture workers killed",
        "SIGKILL to every worker for pictures; nobody starts them again",
        _picture_workers,
        frozenset({"WorkersDown", "QueueStalled"}),
        frozenset({"QueueOldest", "BacklogGrowing"}),
    ),
    Drill(
        "all workers killed",
        "SIGKILL to every worker, so that nobody keeps house either",
        _all_workers,
        frozenset({"WorkersDown", "QueueExporterStale"}),
    ),
    Drill(
        "gateways killed",
        "SIGKILL to every gateway",
        _gateways,
        frozenset({"GatewayDown"}),
    ),
    Drill(
        "Redis stopped",
        "SIGSTOP to Redis",
        _redis,
        frozenset({"AvailabilityBurnFast", "QueueExporterStale"}),
        frozenset({"AvailabilityBurnSlow"}),
    ),
    Drill(
        "bucket denied",
        "the storage answers 403 AccessDenied",
        _denied,
        frozenset({"StorageDenied", "AvailabilityBurnFast"}),
        frozenset({"AvailabilityBurnSlow", "JobFailureRatio", "DeadLetters"}),
    ),
    Drill(
        "storage away",
        "the storage answers 503",
        _away,
        frozenset({"StorageErrors", "AvailabilityBurnFast"}),
        frozenset({"AvailabilityBurnSlow", "JobFailureRatio", "DeadLetters"}),
    ),
    Drill(
        "queue filled",
        "eight pictures a second that take four seconds each, for four slots",
        _filled,
        frozenset({"WorkersSaturated", "BacklogGrowing", "QueueOldest", "QueueWaitBurnFast"}),
        frozenset({"QueueWaitBurnSlow"}),
    ),
    Drill(
        "a poison file",
        "one file that crashes its decoder at every attempt",
        _poison,
        frozenset(),
        watched=60,
    ),
    Drill(
        "many poison files",
        "forty files that crash their decoders",
        _much_poison,
        frozenset({"JobFailureRatio", "DeadLetters"}),
    ),
    Drill(
        "slow watchers",
        "eight watchers of everything that take in a message a second",
        _slow_watchers,
        frozenset({"WatchLag"}),
    ),
)
