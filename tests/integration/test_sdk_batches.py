"""`client.batches`, through real gateways and a real worker."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from mediafleet import TERMINAL_BATCH_STATES, AsyncClient, Batch, BatchFilter, BatchState, Client, NotFound
from mediafleet.v1 import batches_pb2 as pb
from mediafleet.v1.batches_pb2_grpc import BatchServiceServicer, add_BatchServiceServicer_to_server
from tests import gateways
from tests.gateways import ANN, Reached
from tests.integration.scripted_gateway import Refusal
from tests.workers import settings, working

TOKEN = ANN[0][1].removeprefix("Bearer ")
SHORT = timedelta(milliseconds=100)


@pytest.fixture
async def client(reached: Reached) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(str(reached.gateway.address), token=TOKEN, timeout=20) as client:
        yield client


async def test_a_batch_from_its_opening_to_its_retry(client: AsyncClient, redis_url: str, tmp_path: Path) -> None:
    batch = await client.batches.create("holiday", collection="trip", labels={"year": "2026"}, expected_items=3)
    heard: list[Batch] = []
    following = asyncio.create_task(client.batches.wait(batch.batch_id, progress=heard.append, timeout=60))
    contents = [b"fine", b"good", b"POISON:fail\n"]
    async with working(settings(redis_url, tmp_path)):
        outcomes = [each async for each in client.upload_many(contents, batch_id=batch.batch_id)]
        assert all(outcome.upload and outcome.upload.collection == "trip" for outcome in outcomes)
        assert (await client.batches.seal(batch.batch_id)).batch_id == batch.batch_id
        done = await following
        assert done.state == BatchState.BATCH_STATE_PARTIALLY_FAILED
        assert (heard[0].state, heard[-1]) == (BatchState.BATCH_STATE_OPEN, done)
        assert [each.progress.percent for each in heard] == sorted(each.progress.percent for each in heard)
        assert await client.batches.get(batch.batch_id) == done
        again = await client.batches.retry(batch.batch_id)
        assert (again.retried_items, again.batch.state) == (1, BatchState.BATCH_STATE_SEALED)
        assert (await client.batches.wait(batch.batch_id)).state in TERMINAL_BATCH_STATES
    rows = [row async for row in client.batches.report(batch.batch_id)]
    assert [row.failure.code for row in rows] == ["", "", "CORRUPT_MEDIA"]
    wanted = BatchFilter(labels={"year": "2026"}, text="HOLI")
    assert [found.batch_id async for found in client.batches.list(wanted)] == [batch.batch_id]


async def test_a_watch_goes_on_at_another_gateway(redis_url: str, redis_client: Any, tmp_path: Path) -> None:
    async with gateways.running(gateways.settings(redis_url, tmp_path / "objects")) as other:
        async with gateways.running(gateways.settings(redis_url, tmp_path / "objects")) as first:
            targets = [str(first.gateway.address), str(other.gateway.address)]
            client = AsyncClient(targets=targets, token=TOKEN, timeout=20)
            batch = await client.batches.create()
            events = client.batches.watch(batch.batch_id, min_interval=SHORT)
            assert (await anext(events)).HasField("snapshot")
            await client.upload(b"waits", batch_id=batch.batch_id)
            while (await anext(events)).progress.counts.queued != 1:
                pass  # it may be told while it is received, too
        await client.batches.cancel(batch.batch_id)
        told = [event.state_changed.state async for event in events if event.HasField("state_changed")]
        assert told == [BatchState.BATCH_STATE_SEALED, BatchState.BATCH_STATE_CANCELLED]
        assert client.target == targets[1]
        await client.close()


async def test_one_request_makes_one_batch(client: AsyncClient) -> None:
    made = [await client.batches.create("b", expected_items=count, request_id="r") for count in (3, 4)]
    assert made[0] == made[1]
    assert made[0].expected_items == 3


async def test_what_a_batch_has_is_not_read_again(client: AsyncClient, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.bin" for number in range(4)]
    for file in files:
        file.write_bytes(b"first")
    batch = await client.batches.create()

    async def send() -> set[str]:
        sending = client.upload_many(files, batch_id=batch.batch_id, resume=True)
        return {outcome.upload.upload_id if outcome.upload else "" async for outcome in sending}

    sent = await send()
    for file in files:
        # Whoever reads the file finds other bytes, and would send them.
        before = file.stat()
        file.write_bytes(b"other")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert await send() == sent
    assert (await client.batches.get(batch.batch_id)).progress.counts.total == 4


async def test_what_failed_in_a_batch_is_no_new_member(client: AsyncClient, redis_url: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.bin"
    file.write_bytes(b"POISON:fail\n")
    batch = await client.batches.create()
    async with working(settings(redis_url, tmp_path)):
        failed = await client.upload(file, batch_id=batch.batch_id, resume=True, wait=True)
    assert failed.failure.code == "CORRUPT_MEDIA"
    assert (await client.upload(file, batch_id=batch.batch_id, resume=True)).upload_id == failed.upload_id
    assert (await client.upload(file, resume=True)).upload_id != failed.upload_id


async def test_a_name_that_cannot_be_read_is_shown_as_far_as_it_can(client: AsyncClient, tmp_path: Path) -> None:
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.bin"))
    await asyncio.to_thread(file.write_bytes, b"latin")
    assert (await client.upload(file, resume=True)).display_name == "caf\N{REPLACEMENT CHARACTER}.bin"


class Rows(BatchServiceServicer):
    """Breaks off in the middle, once."""

    calls = 0

    async def ExportBatchReport(
        self, request: pb.ExportBatchReportRequest, context: Any
    ) -> AsyncIterator[pb.BatchReportRow]:
        self.calls += 1
        for number in range(4):
            if (self.calls, number) == (1, 2):
                await Refusal(grpc.StatusCode.UNAVAILABLE, "DRAINING", retry_after=0.01).end(context)
            yield pb.BatchReportRow(upload_id=f"u-{number}")


async def test_a_report_goes_on_behind_its_last_row() -> None:
    server, rows = grpc.aio.server(), Rows()
    add_BatchServiceServicer_to_server(rows, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with AsyncClient(f"127.0.0.1:{port}", timeout=20) as client:
            found = [row.upload_id async for row in client.batches.report("b")]
    finally:
        await server.stop(0)
    assert (found, rows.calls) == (["u-0", "u-1", "u-2", "u-3"], 2)


async def test_the_synchronous_client_has_them_too(reached: Reached) -> None:
    def use() -> None:
        with Client(str(reached.gateway.address), token=TOKEN, timeout=20) as client:
            batch = client.batches.create("one")
            client.upload(b"x", batch_id=batch.batch_id)
            assert [found.batch_id for found in client.batches.list()] == [batch.batch_id]
            assert next(iter(client.batches.watch(batch.batch_id))).snapshot.display_name == "one"
            assert client.batches.cancel(batch.batch_id, reason="enough").state in TERMINAL_BATCH_STATES
            assert client.batches.wait(batch.batch_id).progress.counts.cancelled == 1
            assert len(list(client.batches.report(batch.batch_id))) == 1
            with pytest.raises(NotFound):
                client.batches.get("00000000-0000-7000-8000-000000000000")

    await asyncio.to_thread(use)
