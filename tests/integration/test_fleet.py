"""The fleet as its administrators see and steer it: over gRPC, in the SDK and on the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest
from grpc import StatusCode
from redis.asyncio import Redis

from mediafleet import AsyncClient, Client, InvalidArgument, PermissionDenied
from mediafleet.v1 import fleet_pb2 as pb
from mediafleet.v1.fleet_pb2_grpc import FleetServiceStub
from mediafleet_core.errors import Reason
from mediafleet_core.uploads import State
from tests import gateways
from tests.gateways import ANN, Reached, bearer, refused
from tests.intakes import other_database
from tests.integration.test_cli import mediafleet
from tests.waiting import eventually
from tests.workers import Shop, open_shop, settings, working

QUEUES = ["audio", "document", "image", "other", "video"]


def token(*scopes: str) -> str:
    return bearer(scopes=scopes)[0][1].removeprefix("Bearer ")


@pytest.fixture
async def shop(redis_url: str, reached: Reached, tmp_path: Path) -> AsyncIterator[Shop]:
    """The ledger and the storage of the gateway, with a way to bring uploads for a worker."""
    async with open_shop(settings(redis_url, tmp_path)) as opened:
        yield opened


@asynccontextmanager
async def admin(reached: Reached) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(str(reached.gateway.address), token=token("admin")) as client:
        yield client


async def test_a_worker_is_shown_with_its_upload_and_goes_when_it_ends(reached: Reached, shop: Shop) -> None:
    async with admin(reached) as client:
        async with working(shop.settings):
            upload = await shop.bring(b"POISON:sleep\n")
            await shop.reaches(upload.upload_id, State.PROCESSING)

            async def seen() -> pb.Fleet | None:
                found = await client.fleet()
                return found if any(worker.current_uploads for worker in found.workers) else None

            found = await eventually(seen)
            assert found is not None
            [worker] = found.workers
            [current] = worker.current_uploads
            assert (current.upload_id, current.tenant, current.stage) == (upload.upload_id, "ann", "process")
            assert current.start_time.ToDatetime() >= worker.start_time.ToDatetime()
            assert list(worker.queues) == QUEUES
            assert worker.slots == shop.settings.worker.worker_slots
            assert worker.worker_id.startswith(shop.settings.worker.worker_name)
            assert worker.version
            assert [queue.queue for queue in found.queues] == QUEUES
            assert {queue.queue: queue.running for queue in found.queues if queue.running} == {"other": 1}
        assert not (await client.fleet()).workers


async def test_a_worker_has_another_id_with_each_start(reached: Reached, shop: Shop) -> None:
    ids: set[str] = set()
    async with admin(reached) as client:

        async def shown() -> bool:
            workers = (await client.fleet()).workers
            ids.update(worker.worker_id for worker in workers)
            return bool(workers)

        for _ in range(2):
            async with working(shop.settings):
                await eventually(shown)
    assert len(ids) == 2


async def test_a_paused_queue_does_nothing_and_a_resumed_one_begins_at_once(reached: Reached, shop: Shop) -> None:
    async with admin(reached) as client, working(shop.settings):
        assert (await client.pause_queue("other", reason="a broken codec")).paused
        upload = await shop.bring(b"words")
        picture = await shop.bring(b"words", content_type="image/jpeg")
        await shop.reaches(picture.upload_id, State.FAILED)
        queue = next(each for each in (await client.fleet()).queues if each.queue == "other")
        assert (queue.waiting, queue.running, queue.paused) == (1, 0, True)
        assert queue.HasField("oldest_age")
        assert not (await client.resume_queue("other")).paused
        await shop.reaches(upload.upload_id, State.SUCCEEDED)


async def test_a_pause_is_shown_with_its_reason_and_time(reached: Reached) -> None:
    async with admin(reached) as client:
        paused = await client.pause_queue("image", reason="a broken codec")
        assert paused.pause_reason == "a broken codec"
        assert abs(paused.pause_time.ToDatetime(UTC) - datetime.now(UTC)) < timedelta(minutes=1)
        again = await client.pause_queue("image", reason="still broken")
        assert (again.pause_reason, again.pause_time) == (paused.pause_reason, paused.pause_time)
        resumed = await client.resume_queue("image")
        assert (resumed.paused, resumed.pause_reason, resumed.HasField("pause_time")) == (False, "", False)


async def test_resume_rings(reached: Reached, redis_url: str) -> None:
    stub = FleetServiceStub(reached.channel)
    await stub.PauseQueue(pb.PauseQueueRequest(queue="image"), metadata=ANN)
    await stub.ResumeQueue(pb.ResumeQueueRequest(queue="image"), metadata=ANN)

    async with Redis.from_url(other_database(redis_url)) as broker:

        async def rung() -> bool:
            return bool(await broker.llen("dramatiq:image") == 1)

        await eventually(rung)


async def test_what_is_refused(reached: Reached) -> None:
    stub = FleetServiceStub(reached.channel)
    calls: tuple[tuple[Any, Message, set[str]], ...] = (
        (stub.PauseQueue, pb.PauseQueueRequest(queue="IMAGE"), {"queue"}),
        (stub.PauseQueue, pb.PauseQueueRequest(queue="", reason="\n"), {"queue", "reason"}),
        (stub.ResumeQueue, pb.ResumeQueueRequest(queue="enrich"), {"queue"}),
    )
    for call, request, fields in calls:
        with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest) as refusal:
            await call(request, metadata=ANN)
        assert refusal.fields == fields
    others = bearer(scopes=["upload", "read", "cancel"])
    for call, request, _ in (*calls, (stub.GetFleet, pb.GetFleetRequest(), set())):
        with refused(StatusCode.PERMISSION_DENIED, Reason.SCOPE_MISSING):
            await call(request, metadata=others)


async def test_the_synchronous_client_has_the_same_calls(reached: Reached) -> None:
    def steer() -> None:
        with Client(str(reached.gateway.address), token=token("admin")) as client:
            assert client.pause_queue("image").paused
            assert [queue.queue for queue in client.fleet().queues if queue.paused] == ["image"]
            assert not client.resume_queue("image").paused
            with pytest.raises(InvalidArgument):
                client.resume_queue("nothing")
        with Client(str(reached.gateway.address), token=token("read")) as client, pytest.raises(PermissionDenied):
            client.fleet()

    await asyncio.to_thread(steer)


async def test_the_command_line(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    open_to_all = gateways.settings(redis_url, tmp_path, gateway={"token_key": None})
    async with gateways.running(open_to_all) as reached:
        address = str(reached.gateway.address)
        paused = await mediafleet("pause", "image", "--reason", "why not", endpoint=address)
        assert (paused.returncode, paused.stderr) == (0, "")
        assert "UTC  why not" in paused.stdout
        shown = await mediafleet("fleet", endpoint=address)
        assert (shown.returncode, shown.stderr) == (0, "no workers\n")
        assert [line.split()[0] for line in shown.stdout.splitlines() if line] == ["queue", *QUEUES]
        assert "UTC  why not" in shown.stdout
        as_json = json.loads((await mediafleet("fleet", "--json", endpoint=address)).stdout)
        [image] = [queue for queue in as_json["queues"] if queue.get("paused")]
        assert (image["queue"], image["pause_reason"]) == ("image", "why not")
        assert datetime.fromisoformat(image["pause_time"]).tzinfo
        assert (image["waiting"], image["running"], image["delayed"], image["dead"]) == ("0", "0", "0", "0")
        resumed = await mediafleet("resume", "image", endpoint=address)
        assert "since" not in resumed.stdout
        wrong = await mediafleet("pause", "nothing", endpoint=address)
        assert wrong.returncode == 1
        assert "queue must be one of" in wrong.stderr
