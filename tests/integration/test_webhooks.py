"""Webhooks: real uploads, a real worker, and a real HTTP receiver that fails, hangs and answers late."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from aiohttp import web
from google.rpc.error_details_pb2 import BadRequest
from grpc import StatusCode
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from mediafleet.v1 import batches_pb2
from mediafleet.v1.batches_pb2_grpc import BatchServiceStub
from mediafleet.v1.notifications_pb2 import ReplayWebhooksRequest
from mediafleet.v1.notifications_pb2_grpc import NotificationServiceStub
from mediafleet_core.errors import Reason
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.uploads import State
from mediafleet_workers.bootstrap import Settings
from tests.gateways import ANN, BOB, Reached, bearer, refused, upload
from tests.integration.test_cli import mediafleet
from tests.integration.test_worker_process import process
from tests.receivers import SECRET, Receiver, breaks, hangs, receiving, says
from tests.waiting import eventually
from tests.workers import ANN as TENANT
from tests.workers import Shop, open_shop, settings, working

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
SHORT = timedelta(seconds=0.3)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def shop(redis_url: str, redis_client: Redis, tmp_path: Path, receiver: Receiver) -> AsyncIterator[Shop]:
    """A ledger for a worker that tells `receiver` of what tenant ann brings."""
    async with open_shop(settings(redis_url, tmp_path, **receiver.hooks("ann"))) as opened:
        await opened.ledger.set_webhooks({TENANT: receiver.hook().events})
        yield opened


async def settled(shop: Shop) -> None:
    """Until every message is delivered or given up."""

    async def none_left() -> bool:
        return (await shop.ledger.claim_messages([TENANT], limit=0, most=1, lease=timedelta(0)))[1] == 0

    await eventually(none_left, 60, "every message to be settled")


async def test_each_end_is_told_once_and_signed(reached: Reached, shop: Shop, receiver: Receiver) -> None:
    batches = BatchServiceStub(reached.channel)
    async with working(shop.settings):
        opened = await batches.CreateBatch(batches_pb2.CreateBatchRequest(display_name="holiday"), metadata=ANN)
        batch_id = opened.batch.batch_id
        good = await upload(reached, b"fine", batch_id=batch_id, labels={"year": "2026"})
        bad = await upload(reached, b"POISON:fail\n", batch_id=batch_id)
        await batches.SealBatch(batches_pb2.SealBatchRequest(batch_id=batch_id), metadata=ANN)
        other = await upload(reached, metadata=BOB)
        await receiver.hears(3)
        await shop.reaches(UploadId(other.upload_id), State.SUCCEEDED)
        await settled(shop)
    assert len(receiver.heard) == 3
    told = {each.event["subject"]: each.event for each in receiver.heard}
    fine = told[f"uploads/{good.upload_id}"]
    assert (fine["type"], fine["specversion"], fine["source"]) == (
        "mediafleet.upload.succeeded",
        "1.0",
        "/mediafleet/ann",
    )
    data = fine["data"]
    assert (data["state"], data["size_bytes"], data["labels"], data["failure"]) == (
        "SUCCEEDED",
        4,
        {"year": "2026"},
        None,
    )
    broken = told[f"uploads/{bad.upload_id}"]
    assert (broken["type"], broken["data"]["failure"]["code"]) == ("mediafleet.upload.failed", "CORRUPT_MEDIA")
    whole = told[f"batches/{batch_id}"]
    assert (whole["type"], whole["data"]["state"]) == ("mediafleet.batch.partially_failed", "PARTIALLY_FAILED")
    assert (whole["data"]["counts"]["total"], whole["data"]["counts"]["failed"]) == (2, 1)
    assert fine["time"] <= whole["time"]


def impatient(shop: Shop) -> Settings:
    """Of a worker that waits for no answer longer than `SHORT`."""
    return shop.settings._replace(webhooks=shop.settings.webhooks.model_copy(update={"webhook_timeout": SHORT}))


async def test_nothing_is_lost_to_a_receiver_that_fails_hangs_or_answers_late(shop: Shop, receiver: Receiver) -> None:
    async def late(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(2 * SHORT.total_seconds())
        return web.Response(status=200)

    receiver.answers = [says(500), hangs, late, breaks, says(302, location=receiver.url), says(404), says(429)]
    troubles = len(receiver.answers)
    async with working(impatient(shop)):
        uploads = [await shop.bring(f"file {number}".encode()) for number in range(5)]
        await receiver.hears(troubles + len(uploads))
        await settled(shop)
    assert {each.event["data"]["upload_id"] for each in receiver.heard} == {each.upload_id for each in uploads}
    # The same message, byte for byte, whenever it is sent; a redirect is an answer, and is not followed.
    assert len({(each.message_id, each.body) for each in receiver.heard}) == len(uploads)
    assert len(receiver.heard) >= troubles + len(uploads)  # more where the machine is busy, and an answer late


async def test_a_worker_that_is_gone_leaves_nothing_untold(shop: Shop, receiver: Receiver) -> None:
    receiver.by_default = hangs
    async with working(impatient(shop)):
        made = await shop.bring(b"fine")
        await receiver.hears(1)
    receiver.by_default = says(200)
    async with working(shop.settings):
        heard = await receiver.hears(2)
    assert {each.event["data"]["upload_id"] for each in heard} == {made.upload_id}


async def test_what_was_given_up_is_told_when_it_is_replayed(shop: Shop, receiver: Receiver) -> None:
    receiver.answers = [says(410)]
    async with working(shop.settings):
        await shop.bring(b"first")
        await receiver.hears(1)
        await settled(shop)
        await shop.bring(b"second")
        await receiver.hears(2)
        await settled(shop)
        gone = receiver.heard[0].message_id
        assert await shop.ledger.replay_messages(TENANT, LONG_AGO, None, only_failed=True) == 1
        await receiver.hears(3)
        await settled(shop)
        assert await shop.ledger.replay_messages(TENANT, LONG_AGO, None, only_failed=True) == 0
        assert await shop.ledger.replay_messages(TENANT, LONG_AGO, None, only_failed=False) == 2
        await receiver.hears(5)
        await settled(shop)
    assert Counter(each.message_id for each in receiver.heard)[gone] == 3
    assert len(receiver.heard) == 5


async def test_a_receiver_that_hangs_holds_up_nobody_else(
    redis_url: str, redis_client: Redis, tmp_path: Path, receiver: Receiver
) -> None:
    async with receiving() as stuck:
        stuck.by_default = hangs
        both = {"ann": receiver.hook(), "bob": stuck.hook()}
        told = {**receiver.hooks(), "webhooks": both, "webhook_timeout": 60, "webhook_concurrency": 5}
        async with open_shop(settings(redis_url, tmp_path, **told)) as shop, working(shop.settings):
            for _ in range(6):
                await shop.bring(b"stuck", tenant=TenantId("bob"))
            await stuck.hears(4)
            for _ in range(6):
                await shop.bring(b"fine")
            await receiver.hears(6)
        assert len(stuck.heard) == 4


async def test_types_that_nobody_asked_for_are_not_planned(
    redis_url: str, redis_client: Redis, tmp_path: Path, receiver: Receiver
) -> None:
    told = receiver.hooks("ann", events=["mediafleet.upload.failed"])
    async with open_shop(settings(redis_url, tmp_path, **told)) as shop, working(shop.settings):
        await shop.reaches((await shop.bring(b"fine")).upload_id, State.SUCCEEDED)
        bad = await shop.bring(b"POISON:fail\n")
        (heard,) = await receiver.hears(1)
        await settled(shop)
        assert heard.event["data"]["upload_id"] == bad.upload_id
        await shop.ledger.set_webhooks({})
        await shop.reaches((await shop.bring(b"POISON:fail\n")).upload_id, State.FAILED)
        assert await redis_client.zcard("mf:messages:ann") == 1


async def test_a_message_that_cannot_be_read_holds_up_no_other(
    redis_client: Redis, shop: Shop, receiver: Receiver
) -> None:
    def unreadable() -> float:
        return REGISTRY.get_sample_value("mediafleet_webhook_tries_total", {"outcome": "unreadable"}) or 0

    async def planned() -> str:
        upload = await shop.bring(b"fine", silently=True)
        await shop.ledger.cancel(upload.upload_id, TENANT, "")
        (key,) = await redis_client.keys(f"mf:message:{upload.upload_id}-*")
        assert isinstance(key, bytes)
        return key.decode()

    async def every_one_tried() -> bool:
        return unreadable() >= before + 6

    async def all_delivered() -> bool:
        states = [await redis_client.hget(key, "state") for key in (good, newer, held)]
        return set(states) == {b"DELIVERED"}

    newer, held, cut, bare, lost, good = [await planned() for _ in range(6)]
    written = await redis_client.hget(newer, "record")
    assert isinstance(written, bytes)
    await redis_client.hset(newer, "record", written.replace(b"CANCELLED", b"OF A NEWER VERSION"))
    await redis_client.hset(held, "state", "HELD")
    await redis_client.hset(cut, mapping={"record": written[:40], "tries": "many"})
    await redis_client.hdel(bare, "type", "subject", "record", "before")
    await redis_client.set(lost, "no message")
    before = unreadable()
    with structlog.testing.capture_logs() as logs:
        async with working(shop.settings):
            await receiver.hears(1)
            await eventually(every_one_tried, 60, "every message to be tried")
            assert [f"mf:message:{each.message_id}" for each in receiver.heard] == [good]
            # What a worker can read, later or of another version, is told then.
            await redis_client.hset(newer, "record", written)
            await redis_client.hset(held, "state", "PENDING")
            await receiver.hears(3)
            assert {f"mf:message:{each.message_id}" for each in receiver.heard} == {good, newer, held}
            await eventually(all_delivered, message="the ledger to know")  # what is under way is not replayed
            assert await shop.ledger.replay_messages(TENANT, LONG_AGO, None, only_failed=False) >= 3
            await receiver.hears(6)
    told = {each["message_id"]: each for each in logs if each["event"] == "webhook_failed"}
    assert {f"mf:message:{each}" for each in told} == {newer, held, cut, bare, lost}
    assert all("cannot be read" in each["reason"] for each in told.values())
    assert told[lost.removeprefix("mf:message:")]["state"] == "GIVEN_UP"


async def test_a_replay_is_asked_for_on_the_command_line(reached: Reached, shop: Shop, receiver: Receiver) -> None:
    def token(tenant: str, *scopes: str) -> str:
        return bearer(tenant, scopes)[0][1].removeprefix("Bearer ")

    async def replay(*arguments: str, token: str) -> tuple[int, str, str]:
        endpoint = str(reached.gateway.address)
        done = await mediafleet("webhooks", "replay", *arguments, endpoint=endpoint, token=token)
        return done.returncode, done.stdout, done.stderr

    async with working(shop.settings):
        await shop.bring(b"fine")
        await receiver.hears(1)
        await settled(shop)
        code, printed, _ = await replay("--since", "1h", token=token("ann", "upload"))
        assert (code, printed) == (0, "1 message to be sent again\n")
        await receiver.hears(2)
        await settled(shop)
        code, printed, _ = await replay("--since", "1h", "--failed", token=token("ann", "upload"))
        assert (code, printed) == (0, "0 messages to be sent again\n")
        code, printed, _ = await replay("--since", "1h", "--tenant", "ann", token=token("root", "upload", "admin"))
        assert (code, printed) == (0, "1 message to be sent again\n")
        await receiver.hears(3)
        code, _, told = await replay("--since", "1h", "--tenant", "ann", token=token("bob", "upload"))
        assert (code, "admin" in told) == (1, True)
    stub = NotificationServiceStub(reached.channel)
    with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest) as refusal:
        await stub.ReplayWebhooks(ReplayWebhooksRequest(tenant="NO NAME"), metadata=ANN)
    assert refusal.fields == {"time_range.start_time", "tenant"}


@pytest.mark.long
async def test_a_worker_killed_while_it_sends_costs_nothing_but_its_lease(shop: Shop, receiver: Receiver) -> None:
    receiver.by_default = hangs
    told = {
        "MEDIAFLEET_WEBHOOKS": json.dumps({"ann": {"url": receiver.url, "secret": SECRET}}),
        "MEDIAFLEET_WEBHOOK_PRIVATE": "true",
        "MEDIAFLEET_WEBHOOK_TIMEOUT": "PT3S",
    }
    with process(shop, **told) as worker:
        made = await shop.bring(b"fine")
        await receiver.hears(1)
        worker.kill()
    receiver.by_default = says(204)
    async with working(shop.settings):
        heard = await receiver.hears(2)
        await settled(shop)
    assert {each.event["data"]["upload_id"] for each in heard} == {made.upload_id}
