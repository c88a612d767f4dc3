"""The drills: what is broken, which alerts have to come, and which may come along."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from typing import NamedTuple

import grpc

from benchmarks.drills.fleet import Fleet
from benchmarks.watch_clients import OPTIONS
from mediafleet import MediafleetError
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceStub


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

    _keep(stack, [asyncio.create_task(send(number)) for number in range(4)])


async def _poison(fleet: Fleet, stack: AsyncExitStack) -> None:
    await _send_poison(fleet, 1)


async def _much_poison(fleet: Fleet, stack: AsyncExitStack) -> None:
    await _send_poison(fleet, 16)


async def _send_poison(fleet: Fleet, count: int) -> None:
    """Files that crash their decoder, to the end of each."""
    async with fleet.client(timeout=30) as client:
        uploads = [
            await client.upload(f"POISON:crash\n{number}".encode(), display_name="a.jpg") for number in range(count)
        ]
        await asyncio.gather(*(client.wait(upload.upload_id, timeout=90) for upload in uploads))


async def _watch(fleet: Fleet, stack: AsyncExitStack) -> None:
    """Ten who read what comes."""
    client = await stack.enter_async_context(fleet.client())

    async def read() -> None:
        async for _ in client.watch_many():
            pass

    _keep(stack, [asyncio.create_task(read()) for _ in range(10)])


async def _slow_watcher(fleet: Fleet, stack: AsyncExitStack) -> None:
    """Beside others, one that takes in a message a second, with as little in between as gRPC allows."""
    await _watch(fleet, stack)
    endpoints = fleet.server.endpoints
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(endpoints["gateways"][0], options=OPTIONS))

    async def read() -> None:
        watch = UploadServiceStub(channel).WatchUploads(
            pb.WatchUploadsRequest(), metadata=(("authorization", f"Bearer {endpoints['token']}"),)
        )
        async for _ in watch:
            await asyncio.sleep(1)

    _keep(stack, [asyncio.create_task(read())])


async def _stutter(fleet: Fleet, stack: AsyncExitStack) -> None:
    """Every gateway stands still for three of five seconds, as when its node has no CPU to give."""
    await _watch(fleet, stack)
    gateways = [pid for name, pid in fleet.server.pids.items() if name.startswith("gateway-")]

    async def stutter() -> None:
        while True:
            for pid in gateways:
                fleet.freeze(pid)
            await asyncio.sleep(3)
            fleet.thaw()
            await asyncio.sleep(2)

    _keep(stack, [asyncio.create_task(stutter())])


def _keep(stack: AsyncExitStack, tasks: Sequence[asyncio.Task[None]]) -> None:
    """To the end of the drill."""
    stack.callback(lambda: [task.cancel() for task in tasks])


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
        frozenset({"AvailabilityBurnFast", "RedisDown"}),
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
        "sixteen files that crash their decoders at every attempt",
        _much_poison,
        frozenset({"JobFailureRatio", "DeadLetters"}),
    ),
    Drill(
        "a slow watcher",
        "beside ten others, one that takes in a message a second",
        _slow_watcher,
        frozenset(),
        watched=60,
    ),
    Drill(
        "gateways stutter",
        "all gateways stand still for three of five seconds",
        _stutter,
        frozenset({"WatchLag"}),
        frozenset({"AvailabilityBurnFast", "AvailabilityBurnSlow"}),
    ),
)
