"""Notifications: what people of a tenant should hear of, through the SDK."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.rpc.error_details_pb2 import BadRequest
from grpc import StatusCode
from redis.asyncio import Redis

from mediafleet import AsyncClient
from mediafleet.v1 import notifications_pb2 as pb
from mediafleet.v1.batches_pb2 import BATCH_STATE_FAILED, BATCH_STATE_SUCCEEDED
from mediafleet.v1.notifications_pb2_grpc import NotificationServiceStub
from mediafleet.v1.uploads_pb2 import UPLOAD_STATE_EXPIRED, UPLOAD_STATE_FAILED
from mediafleet_core.batches import BatchSpec
from mediafleet_core.errors import Reason
from mediafleet_core.failures import FailureCode
from mediafleet_core.identity import new_batch_id
from mediafleet_core.ledger import RedisLedger, scripts
from mediafleet_core.uploads import Upload, UploadSpec
from mediafleet_gateway import paging
from tests.command_line import mediafleet
from tests.gateways import ANN, Reached, bearer, refused
from tests.intakes import site
from tests.ledgers import ANN as TENANT
from tests.ledgers import NOW, SPEC, claimed, created, failed, outcome, queued


@pytest.fixture
async def ledger(redis_url: str, redis_client: Redis, reached: Reached, tmp_path: Path) -> AsyncIterator[RedisLedger]:
    """Of the gateway."""
    async with site(redis_url, tmp_path / "store") as place:
        yield place.ledger


@pytest.fixture
async def client(reached: Reached) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(str(reached.gateway.address), token=token("ann")) as client:
        yield client


def token(tenant: str) -> str:
    return bearer(tenant, ("read",))[0][1].removeprefix("Bearer ")


async def fails(ledger: RedisLedger, spec: UploadSpec = SPEC) -> Upload:
    await queued(ledger, spec)
    claim = await claimed(ledger)
    done = await ledger.fail_attempt(claim.upload.upload_id, claim.fence, failed(FailureCode.CORRUPT_MEDIA, 1))
    assert done is not None
    return done


async def heard(client: AsyncClient, *, only_unread: bool = False) -> list[pb.Notification]:
    return [each async for each in client.notifications.list(only_unread=only_unread)]


async def test_failures_and_ends_of_batches_are_told(
    reached: Reached, ledger: RedisLedger, client: AsyncClient
) -> None:
    bad = await fails(ledger)
    await queued(ledger)
    claim = await claimed(ledger)
    await ledger.commit(claim.upload.upload_id, claim.fence, outcome())
    await ledger.cancel((await created(ledger)).upload_id, TENANT, "")
    late = await created(ledger, SPEC, TENANT, NOW)
    await ledger.expire(10)
    batch = await ledger.create_batch(new_batch_id(), TENANT, BatchSpec(display_name="holiday"))
    await fails(ledger, UploadSpec(display_name="b.jpg", content_type="image/jpeg", batch_id=batch.batch_id))
    await ledger.seal_batch(batch.batch_id, TENANT)
    ended, expired, failed_ = await heard(client)
    assert (failed_.number, failed_.display_name, failed_.read) == (1, "a.jpg", False)
    assert failed_.upload == pb.UploadEnded(
        upload_id=bad.upload_id, state=UPLOAD_STATE_FAILED, failure_code="CORRUPT_MEDIA"
    )
    assert (expired.upload.upload_id, expired.upload.state) == (late.upload_id, UPLOAD_STATE_EXPIRED)
    # Its member is told with it, not by itself.
    assert (ended.display_name, ended.batch.batch_id, ended.batch.state) == (
        "holiday",
        batch.batch_id,
        BATCH_STATE_FAILED,
    )
    assert (ended.batch.counts.total, ended.batch.counts.failed) == (1, 1)
    async with AsyncClient(str(reached.gateway.address), token=token("bob")) as other:
        assert await heard(other) == []


async def test_what_was_read_is_marked_and_counted(ledger: RedisLedger, client: AsyncClient) -> None:
    for _ in range(5):
        await fails(ledger)
    assert await client.notifications.mark_read(4) == 4
    assert await client.notifications.mark_read(4, 99) == 4
    assert [each.number for each in await heard(client) if each.read] == [4]
    assert await client.notifications.mark_read(through=2) == 2
    assert [each.number for each in await heard(client, only_unread=True)] == [5, 3]
    assert await client.notifications.mark_read(through=5) == 0
    assert await heard(client, only_unread=True) == []
    await fails(ledger)
    assert [each.number for each in await heard(client, only_unread=True)] == [6]


async def test_the_command_line_lists_and_marks(reached: Reached, ledger: RedisLedger, client: AsyncClient) -> None:
    async def command(*arguments: str) -> str:
        done = await mediafleet("notifications", *arguments, endpoint=str(reached.gateway.address), token=token("ann"))
        assert done.returncode == 0, done.stderr
        return done.stdout or done.stderr

    bad = await fails(ledger)
    batch = await ledger.create_batch(new_batch_id(), TENANT, BatchSpec(display_name="holiday"))
    await ledger.seal_batch(batch.batch_id, TENANT)
    head, newest, oldest = (await command("list")).splitlines()
    assert head.split() == ["number", "time", "read", "about", "name", "state", "result"]
    assert oldest.split()[0] == "1"
    assert oldest.split()[3:] == ["no", bad.upload_id, "a.jpg", "FAILED", "CORRUPT_MEDIA"]
    assert newest.split()[3:] == ["no", batch.batch_id, "holiday", "SUCCEEDED"]
    assert await command("read", "2") == "1 unread\n"
    assert json.loads(await command("read", "--through", "2", "--json")) == {"unread_count": 0}
    listed = [json.loads(line) for line in (await command("list", "--limit", "1", "--json")).splitlines()]
    assert [(each["number"], each["read"]) for each in listed] == [("2", True)]


async def test_pages_hold_still_and_tokens_are_bound(
    reached: Reached, ledger: RedisLedger, client: AsyncClient
) -> None:
    stub = NotificationServiceStub(reached.channel)
    for _ in range(5):
        await fails(ledger)
    for only_unread in (False, True):
        numbers, newest, token = [], 5 + only_unread, ""
        while True:
            request = pb.ListNotificationsRequest(page_size=2, page_token=token, only_unread=only_unread)
            page = await stub.ListNotifications(request, metadata=ANN)
            numbers += [each.number for each in page.notifications]
            token = page.next_page_token
            if not token:
                break
            if not numbers[2:]:
                await fails(ledger)  # comes to the front, and moves nothing
        assert numbers == list(range(newest, 0, -1))
        assert page.unread_count == newest + 1
    for made_up in ("abcd", *(paging.encode(TENANT, pb.ListNotificationsRequest(), each) for each in ("x", "9" * 40))):
        request = pb.ListNotificationsRequest(page_size=2, page_token=made_up)
        with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest):
            await stub.ListNotifications(request, metadata=ANN)
    with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest) as refusal:
        marks = pb.MarkNotificationsReadRequest(numbers=range(1001), through_number=-1)
        await stub.MarkNotificationsRead(marks, metadata=ANN)
    assert refusal.fields == {"numbers", "through_number"}


async def test_the_oldest_are_forgotten(
    redis_url: str, tmp_path: Path, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts, "NOTICES_KEPT", 3)
    async with site(redis_url, tmp_path / "store") as place:
        for _ in range(5):
            batch = await place.ledger.create_batch(new_batch_id(), TENANT, BatchSpec(display_name="empty"))
            await place.ledger.seal_batch(batch.batch_id, TENANT)
    for only_unread in (False, True):
        assert [each.number for each in await heard(client, only_unread=only_unread)] == [5, 4, 3]
    assert (await heard(client))[0].batch.state == BATCH_STATE_SUCCEEDED
    assert await client.notifications.mark_read() == 3


async def test_what_is_forgotten_is_not_unread_whatever_else_was_read(
    redis_url: str, tmp_path: Path, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts, "NOTICES_KEPT", 3)
    async with site(redis_url, tmp_path / "store") as place:
        for number in range(1, 6):
            await fails(place.ledger)
            if number in (2, 3):
                await client.notifications.mark_read(number)
    assert [each.number for each in await heard(client, only_unread=True)] == [5, 4]
    assert await client.notifications.mark_read() == 2


async def test_a_replay_of_nothing_says_what_there_might_be(reached: Reached) -> None:
    done = await mediafleet(
        "webhooks",
        "replay",
        "--since",
        "1h",
        endpoint=str(reached.gateway.address),
        token=bearer()[0][1][len("Bearer ") :],
    )
    assert (done.returncode, done.stdout) == (0, "0 messages to be sent again\n")
    assert "MEDIAFLEET_WEBHOOKS" in done.stderr
