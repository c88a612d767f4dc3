"""The watch contract as callers meet it: over real sockets, many at once, slow ones among them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest
from grpc import StatusCode
from redis.asyncio import Redis

from mediafleet import AsyncClient
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceStub
from mediafleet_core import mailbox
from mediafleet_core.errors import Reason
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.uploads import Upload
from tests import command_line
from tests.gateways import ANN, Reached, bearer, create, refused, running, settings, upload
from tests.ledgers import ANN as ANNS_TENANT
from tests.ledgers import claimed, created, ledger_at, outcome

STAFF = bearer("staff")
BURST = 1_200
"""More than the 1,000 calls that gRPC lets wait by itself."""


async def read(call: Any) -> pb.UploadEvent:
    event = await call.read()
    assert isinstance(event, pb.UploadEvent)
    return event


@pytest.fixture
async def ledger(redis_url: str, redis_client: Redis) -> AsyncIterator[RedisLedger]:
    async with ledger_at(redis_url) as ledger:
        yield ledger


async def test_a_watch_that_goes_on_says_so_at_once(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    async with running(settings(redis_url, tmp_path, gateway={"watch_heartbeat": 0.1})) as reached:
        made = await create(reached)
        for watch, request in (
            (reached.uploads.WatchUpload, pb.WatchUploadRequest(upload_id=made.upload_id)),
            (reached.uploads.WatchUploads, pb.WatchUploadsRequest()),
        ):
            first = cast("Any", watch)(request, metadata=ANN)
            assert (await read(first)).snapshot == made
            beat = await read(first)
            assert (beat.WhichOneof("event"), beat.heartbeat.interval.ToMilliseconds()) == ("heartbeat", 100)
            request.after_cursor = beat.cursor
            again = cast("Any", watch)(request, metadata=ANN)
            assert ("mediafleet-watch", "resumed") in tuple(await again.initial_metadata())
            assert (await read(again)).WhichOneof("event") == "heartbeat"


async def test_the_command_line_follows_all_tenants(reached: Reached) -> None:
    endpoint, staff = str(reached.gateway.address), STAFF[0][1].removeprefix("Bearer ")
    made = [await create(reached, bearer(tenant), display_name=f"of-{tenant}") for tenant in ("ann", "bob")]
    wrong = await command_line.mediafleet("watch", "--all-tenants", made[0].upload_id, endpoint=endpoint, token=staff)
    assert (wrong.returncode, "takes no ID" in wrong.stderr) == (2, True)
    watch = await command_line.start("watch", "--all-tenants", endpoint=endpoint, token=staff)
    assert watch.stdout is not None
    lines = [(await asyncio.wait_for(watch.stdout.readline(), 60)).decode().split() for _ in made]
    watch.kill()
    await watch.communicate()
    told = {(line[1], line[2], line[3], line[-1]) for line in lines}
    assert told == {(each.tenant, each.upload_id, "RECEIVING", each.display_name) for each in made}


async def test_everything_of_all_tenants_is_for_admins(reached: Reached) -> None:
    request = pb.WatchUploadsRequest(all_tenants=True)
    with refused(StatusCode.PERMISSION_DENIED, Reason.SCOPE_MISSING):
        await reached.uploads.WatchUploads(request, metadata=bearer("ann", ["read"])).read()
    for tenant in ("ann", "bob"):
        await create(reached, bearer(tenant), display_name=f"of {tenant}")
    watch = reached.uploads.WatchUploads(request, metadata=STAFF)
    found = [await read(watch) for _ in range(2)]
    assert {(event.tenant, event.snapshot.display_name) for event in found} == {("ann", "of ann"), ("bob", "of bob")}
    beat = await read(watch)
    assert beat.WhichOneof("event") == "heartbeat"
    await create(reached, bearer("cleo"))
    told = await read(watch)
    assert (told.tenant, told.state_changed.state) == ("cleo", pb.UPLOAD_STATE_RECEIVING)
    request.after_cursor = beat.cursor
    assert await read(reached.uploads.WatchUploads(request, metadata=STAFF)) == told


@pytest.mark.parametrize(
    "unfit",
    [{"labels": {"a": "b"}}, {"text": "x"}, {"create_time_range": pb.TimeRange()}],
    ids=lambda unfit: next(iter(unfit)),
)
async def test_a_watch_refuses_filters_that_events_do_not_tell(reached: Reached, unfit: dict[str, Any]) -> None:
    request = pb.WatchUploadsRequest(filter=pb.UploadFilter(**unfit))
    with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest) as refusal:
        await reached.uploads.WatchUploads(request, metadata=ANN).read()
    assert refusal.fields == {f"filter.{next(iter(unfit))}"}


async def test_states_choose_among_events_and_not_among_uploads(reached: Reached) -> None:
    cancelled = pb.UploadFilter(states=[pb.UPLOAD_STATE_CANCELLED], collection="trip")
    watch = reached.uploads.WatchUploads(pb.WatchUploadsRequest(filter=cancelled), metadata=ANN)
    assert (await read(watch)).WhichOneof("event") == "heartbeat"
    elsewhere, made = await create(reached), await create(reached, collection="trip")
    for each in (elsewhere, made):
        await reached.uploads.CancelUpload(pb.CancelUploadRequest(upload_id=each.upload_id), metadata=ANN)
    told = await read(watch)
    assert (told.upload_id, told.sequence) == (made.upload_id, 2)
    await reached.uploads.DeleteUpload(pb.DeleteUploadRequest(upload_id=made.upload_id), metadata=ANN)
    assert (await read(watch)).HasField("deleted")


class CountsReads:
    """A ledger that knows how often a single record was asked for."""

    def __init__(self, ledger: RedisLedger) -> None:
        self._ledger = ledger
        self.reads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def get(self, upload_id: UploadId, tenant: TenantId | None = None) -> Upload:
        self.reads += 1
        return await self._ledger.get(upload_id, tenant)


async def test_many_watchers_share_one_terminal_message(redis_url: str, ledger: RedisLedger, tmp_path: Path) -> None:
    counting = CountsReads(ledger)
    async with running(settings(redis_url, tmp_path), ledger=cast("RedisLedger", counting)) as reached:
        made = await upload(reached, display_name="a.jpg", content_type="image/jpeg")
        request = pb.WatchUploadRequest(upload_id=made.upload_id)
        watches = [reached.uploads.WatchUpload(request, metadata=ANN) for _ in range(50)]
        for watch in watches:
            await read(watch)
        claim = await claimed(ledger)
        counting.reads = 0
        await ledger.commit(claim.upload.upload_id, claim.fence, outcome())
        told = [await _rest(watch) for watch in watches]
    assert counting.reads == 1
    assert all(each == told[0] for each in told)
    assert told[0][-1].state_changed.upload.state == pb.UPLOAD_STATE_SUCCEEDED


async def test_a_burst_of_watches_is_served(reached: Reached) -> None:
    made = await create(reached)
    request = pb.WatchUploadRequest(upload_id=made.upload_id)
    watches = [reached.uploads.WatchUpload(request, metadata=ANN) for _ in range(BURST)]
    opened = await asyncio.gather(*map(read, watches))
    assert all(event.snapshot.upload_id == made.upload_id for event in opened)
    for watch in watches:
        watch.cancel()


async def test_who_does_not_read_holds_up_nobody_and_misses_nothing(
    reached: Reached, ledger: RedisLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "MOST_CHANGES", 100)
    options = [("grpc.http2.lookahead_bytes", 1024), ("grpc.http2.bdp_probe", 0)]
    async with grpc.aio.insecure_channel(str(reached.gateway.address), options=options) as channel:
        slow = UploadServiceStub(channel).WatchUploads(pb.WatchUploadsRequest(), metadata=ANN)
        quick = reached.uploads.WatchUploads(pb.WatchUploadsRequest(), metadata=ANN)
        for watch in (slow, quick):
            assert (await read(watch)).WhichOneof("event") == "heartbeat"
        made = await asyncio.gather(*(created(ledger) for _ in range(100)))
        await asyncio.gather(*(ledger.cancel(each.upload_id, ANNS_TENANT, "") for each in made))
        expected = [(each.upload_id, sequence) for each in made for sequence in (1, 2)]  # more than its mailbox holds
        told = await _changes(quick, len(expected))
        assert sorted(told) == sorted(expected)
        assert await _changes(slow, len(expected)) == told


async def _rest(watch: Any) -> list[pb.UploadEvent]:
    """Until it ends with OK."""
    found = []
    while isinstance(event := await watch.read(), pb.UploadEvent):
        found.append(event)
    return found


async def _changes(watch: Any, count: int) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    while len(found) < count:
        event = await read(watch)
        if event.HasField("state_changed"):
            found.append((event.upload_id, event.sequence))
    return found


async def test_a_drained_gateway_hands_its_watchers_over(redis_url: str, ledger: RedisLedger, tmp_path: Path) -> None:
    async with (
        running(settings(redis_url, tmp_path)) as one,
        running(settings(redis_url, tmp_path)) as other,
        AsyncClient(targets=[str(one.gateway.address), str(other.gateway.address)], token=ANN[0][1][7:]) as client,
    ):
        made = await upload(one, display_name="a.jpg", content_type="image/jpeg")
        async with aclosing(client.watch(made.upload_id)) as events:
            first = await anext(events)
            claim = await claimed(ledger)
            second = await anext(events)
            await one.gateway.drain()
            await ledger.commit(claim.upload.upload_id, claim.fence, outcome())
            rest = [event async for event in events]
    assert (first.snapshot.state, second.state_changed.state) == (pb.UPLOAD_STATE_QUEUED, pb.UPLOAD_STATE_PROCESSING)
    assert [event.sequence for event in rest] == [second.sequence + 1]
