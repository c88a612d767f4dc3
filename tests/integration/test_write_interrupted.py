"""A stream that ends without `finish_write` finishes nothing, however, wherever and by whichever client it ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpclib.client import Channel as ForeignChannel
from grpclib.client import StreamUnaryMethod
from grpclib.exceptions import GRPCError, StreamTerminatedError
from redis.asyncio import Redis

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceStub
from mediafleet_core import cleanup
from mediafleet_core.identity import UploadId
from mediafleet_core.ledger import LedgerSettings, connect
from mediafleet_core.object_keys import ROOT
from mediafleet_core.storage import open_store
from mediafleet_core.uploads import State
from mediafleet_gateway.bootstrap import Settings
from tests.gateways import ANN, Reached, create, running, settings
from tests.intakes import other_database, some_bytes
from tests.ledgers import SHORTEST
from tests.waiting import eventually

PART = 1 << 16
CHUNK = 50_000
FILE = some_bytes(4 * CHUNK)
DEADLINE = 0.4
"""Seconds; long enough for every message before the boundary to be sent, unless the machine is busy."""

Client = Callable[[Reached, str, int, str], Awaitable[None]]


def messages(upload_id: str, count: int) -> list[pb.WriteUploadRequest]:
    """The first messages of a stream that carries `FILE`, never the one that would finish it."""
    return [
        pb.WriteUploadRequest(
            upload_id="" if number else upload_id,
            write_offset=number * CHUNK,
            content=FILE[number * CHUNK : (number + 1) * CHUNK],
        )
        for number in range(count)
    ]


async def taken(reached: Reached, upload_id: str, boundary: int) -> None:
    """Wait until the server has every part that was sent and thus idles; gRPC then ends its stream quietly."""

    async def recorded() -> bool:
        request = pb.QueryWriteStatusRequest(upload_id=upload_id)
        status = await reached.uploads.QueryWriteStatus(request, metadata=ANN)
        return status.committed_size == boundary * CHUNK // PART * PART

    await eventually(recorded)


async def aio_client(reached: Reached, upload_id: str, boundary: int, end: str) -> None:
    async with grpc.aio.insecure_channel(str(reached.gateway.address)) as channel:
        call = UploadServiceStub(channel).WriteUpload(metadata=ANN, timeout=DEADLINE if end == "deadline" else None)
        with suppress(*((grpc.aio.AioRpcError, asyncio.InvalidStateError) if end == "deadline" else ())):
            await call.wait_for_connection()
            for message in messages(upload_id, boundary):
                await call.write(message)
        if end.endswith("idle"):
            await taken(reached, upload_id, boundary)
        if end.startswith("cancel"):
            call.cancel()
        elif end.startswith("close"):
            await channel.close(None)
        elif end == "half-close":
            await call.done_writing()
        with suppress(grpc.aio.AioRpcError, asyncio.CancelledError):
            await call


async def sync_client(reached: Reached, upload_id: str, boundary: int, end: str) -> None:
    loop = asyncio.get_running_loop()

    def run() -> None:
        sent, ended = threading.Event(), threading.Event()

        def stream() -> Iterator[pb.WriteUploadRequest]:
            yield from messages(upload_id, boundary)
            sent.set()
            if end != "half-close":
                ended.wait(60)

        with grpc.insecure_channel(str(reached.gateway.address)) as channel:
            timeout = DEADLINE if end == "deadline" else None
            call = UploadServiceStub(channel).WriteUpload.future(stream(), metadata=ANN, timeout=timeout)
            if timeout is not None:
                call.add_done_callback(lambda _: sent.set())
            try:
                assert sent.wait(60)
                if end.endswith("idle"):
                    asyncio.run_coroutine_threadsafe(taken(reached, upload_id, boundary), loop).result(60)
                if end.startswith("cancel"):
                    call.cancel()
                elif end.startswith("close"):
                    channel.close()
                with suppress(grpc.RpcError, grpc.FutureCancelledError):
                    call.result(60)
            finally:
                ended.set()

    await asyncio.to_thread(run)


async def foreign_client(reached: Reached, upload_id: str, boundary: int, end: str) -> None:
    channel = ForeignChannel(reached.gateway.address.host, reached.gateway.address.port)
    write = StreamUnaryMethod(
        channel, "/mediafleet.v1.UploadService/WriteUpload", pb.WriteUploadRequest, pb.WriteUploadResponse
    )
    try:
        # Of a deadline the client may hear from the gateway before its own clock tells.
        told = (GRPCError,) if end == "deadline" else ()
        with suppress(asyncio.TimeoutError, StreamTerminatedError, *told):
            async with write.open(metadata=ANN, timeout=DEADLINE if end == "deadline" else None) as stream:
                await stream.send_request()
                for message in messages(upload_id, boundary):
                    await stream.send_message(message)
                if end.endswith("idle"):
                    await taken(reached, upload_id, boundary)
                if end.startswith("close"):
                    channel.close()
                    return
                if end.startswith("cancel"):
                    await stream.cancel()
                    return
                if end == "half-close":
                    await stream.end()
                with suppress(Exception):
                    await stream.recv_message()
    finally:
        channel.close()


CLIENTS: dict[str, Client] = {"aio": aio_client, "sync": sync_client, "foreign": foreign_client}


@pytest.fixture
def configured(redis_url: str, redis_client: Redis, tmp_path: Path) -> Settings:
    """Uploads that are past their time at once, and sweeps that are repeated at once."""
    made = settings(redis_url, tmp_path / "objects", intake={"part_bytes": PART, "upload_expiry": SHORTEST})
    return made._replace(ledger=LedgerSettings(ledger_url=redis_url, sweep_again_after=SHORTEST))


@pytest.mark.parametrize("end", ["cancel", "cancel idle", "close", "close idle", "deadline", "half-close"])
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_stream_that_ends_early_finishes_nothing_and_leaves_nothing(
    configured: Settings, redis_url: str, client: str, end: str
) -> None:
    boundaries = range(len(FILE) // CHUNK + 1)
    ledger, store = await connect(configured.ledger), open_store(configured.storage)
    try:
        async with running(configured) as reached:
            uploads = [await create(reached, display_name="a.jpg") for _ in boundaries]
            await asyncio.gather(
                *(
                    CLIENTS[client](reached, upload.upload_id, boundary, end)
                    for boundary, upload in zip(boundaries, uploads, strict=True)
                )
            )
            await reached.gateway.stop(timedelta(seconds=10))
        for boundary, upload in zip(boundaries, uploads, strict=True):
            record = await ledger.get(UploadId(upload.upload_id))
            assert record.state is State.RECEIVING
            assert record.committed_size <= boundary * CHUNK
            if end == "half-close":
                assert record.committed_size == boundary * CHUNK
        assert not await ledger.due()
        async with Redis.from_url(other_database(redis_url)) as broker:
            assert await broker.keys("dramatiq:*") == []

        assert len(await ledger.expire(100)) == len(uploads)
        for _ in range(2):
            for planned in await ledger.sweeps(100):
                await cleanup.sweep(store, ledger, planned)
        for upload in uploads:
            assert (await ledger.get(UploadId(upload.upload_id))).state is State.EXPIRED
        assert [stored async for stored in store.list(ROOT)] == []
        assert [begun async for begun in store.list_multiparts(ROOT)] == []
    finally:
        await store.close()
        await ledger.close()
