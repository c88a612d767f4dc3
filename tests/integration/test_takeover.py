"""Two writers on one upload: the newer one wins, and the older one changes nothing, even if it wakes up much later."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import cast

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status
from pydantic import SecretStr
from redis.asyncio import Redis

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.ports import ObjectStore
from mediafleet_core.storage import Backend, StorageSettings, open_store
from tests.buckets import bucket
from tests.gate import Gate
from tests.gateway_processes import GatewayProcess, gateway_process
from tests.intakes import some_bytes
from tests.waiting import eventually

MIB = 1 << 20
LOCAL_PART = 1 << 16
R2_PART = 5 * MIB
SIGNING_KEY = "signing key of tests"


def settings_of(storage: Mapping[str, str]) -> StorageSettings:
    """As a gateway with this environment reads them."""
    if storage["MEDIAFLEET_STORAGE"] == "local":
        return StorageSettings(
            storage=Backend.LOCAL,
            storage_dir=Path(storage["MEDIAFLEET_STORAGE_DIR"]),
            storage_signing_key=SecretStr(SIGNING_KEY),
        )
    return StorageSettings(
        storage=Backend.R2,
        r2_endpoint_url=storage["R2_ENDPOINT_URL"],
        r2_bucket_name=storage["R2_BUCKET_NAME"],
        r2_access_key_id=storage["R2_ACCESS_KEY_ID"],
        r2_secret_access_key=SecretStr(storage["R2_SECRET_ACCESS_KEY"]),
    )


def local_storage(folder: Path) -> dict[str, str]:
    return {
        "MEDIAFLEET_STORAGE": "local",
        "MEDIAFLEET_STORAGE_DIR": str(folder),
        "MEDIAFLEET_STORAGE_SIGNING_KEY": SIGNING_KEY,
        "MEDIAFLEET_PART_BYTES": str(LOCAL_PART),
    }


@pytest.fixture(scope="module")
def r2_storage() -> Iterator[dict[str, str]]:
    """A bucket under R2's rules."""
    with bucket("takeover") as made:
        yield {**made.environment, "MEDIAFLEET_PART_BYTES": str(R2_PART)}


async def outcome_of(call: grpc.Future[pb.WriteUploadResponse]) -> pb.Upload | ErrorInfo:
    """The upload that a stream ended with, or why it was refused."""
    try:
        return (await asyncio.to_thread(call.result, 60)).upload
    except grpc.RpcError as error:
        return reason_of(cast("grpc.Call", error))


def reason_of(call: grpc.Call) -> ErrorInfo:
    status, info = rpc_status.from_call(call), ErrorInfo()
    assert status is not None, call
    assert status.details[0].Unpack(info), status
    return info


def write(
    gateway: GatewayProcess, upload_id: str, messages: Iterator[pb.WriteUploadRequest]
) -> grpc.Future[pb.WriteUploadResponse]:
    """A stream under way."""
    first = next(messages)
    first.upload_id = upload_id
    return gateway.uploads.WriteUpload.future(itertools.chain([first], messages))


def chunks(content: bytes, start: int = 0, size: int = MIB) -> Iterator[pb.WriteUploadRequest]:
    """Everything from `start` on, and the finish."""
    for offset in range(start, len(content), size):
        yield pb.WriteUploadRequest(write_offset=offset, content=content[offset : offset + size])
    yield pb.WriteUploadRequest(write_offset=len(content), finish_write=True)


def in_two_steps(content: bytes, go_on: threading.Event, start: int = 0) -> Iterator[pb.WriteUploadRequest]:
    """The first chunk opens the stream; the others wait."""
    messages = chunks(content, start, LOCAL_PART // 2)
    yield next(messages) if start < len(content) else pb.WriteUploadRequest(write_offset=start)
    assert go_on.wait(60)
    yield from messages


async def taken_over(redis_client: Redis, upload_id: str) -> bool:
    """Whether a second writer has opened the upload."""
    return await redis_client.hget(f"mf:u:{upload_id}", "fence") == b"2"


async def create(gateway: GatewayProcess) -> str:
    request = pb.CreateUploadRequest(spec=pb.UploadSpec(display_name="film.bin"))
    return (await asyncio.to_thread(gateway.uploads.CreateUpload, request)).upload.upload_id


async def committed(gateway: GatewayProcess, upload_id: str) -> int:
    query = pb.QueryWriteStatusRequest(upload_id=upload_id)
    return (await asyncio.to_thread(gateway.uploads.QueryWriteStatus, query)).committed_size


async def stored(store: ObjectStore, upload_id: str) -> tuple[dict[str, str], list[str]]:
    """ETags of the upload's originals, and its unfinished multiparts."""
    prefix = UploadKeys(TenantId("local"), UploadId(upload_id)).originals
    etags = {found.key: found.etag async for found in store.list(prefix)}
    return etags, [str(found) async for found in store.list_multiparts(prefix)]


async def content_of(store: ObjectStore, key: str) -> bytes:
    return b"".join([chunk async for chunk in store.read(key)])


@pytest.mark.parametrize("rounds", [100, pytest.param(1000, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
async def test_of_two_writers_exactly_one_wins(
    redis_url: str, redis_client: Redis, tmp_path: Path, rounds: int
) -> None:
    storage = local_storage(tmp_path / "objects")
    chance = random.Random(rounds)
    with ExitStack() as stack:
        gateways = [
            stack.enter_context(gateway_process(redis_url, storage, tmp_path / f"{number}.log")) for number in range(2)
        ]
        store = open_store(settings_of(storage))
        for number in range(rounds):
            size = chance.randrange(1, 3 * LOCAL_PART)
            files = [bytes([65 + writer]) * size for writer in range(2)]
            upload_id = await create(gateways[number % 2])
            both_open = threading.Event()
            writings = [
                write(gateway, upload_id, in_two_steps(file, both_open))
                for gateway, file in zip(gateways, files, strict=True)
            ]
            await eventually(partial(taken_over, redis_client, upload_id))
            both_open.set()
            outcomes = [await outcome_of(writing) for writing in writings]
            winners = [writer for writer, outcome in enumerate(outcomes) if isinstance(outcome, pb.Upload)]
            assert len(winners) == 1, outcomes
            loser = outcomes[1 - winners[0]]
            assert isinstance(loser, ErrorInfo)
            assert loser.reason == "CONCURRENT_WRITER"
            assert 0 <= int(loser.metadata["committedSize"]) <= size
            etags, multiparts = await stored(store, upload_id)
            assert (len(etags), multiparts) == (1, [])
            assert await content_of(store, next(iter(etags))) == files[winners[0]]
        await store.close()


@asynccontextmanager
async def paused_r2(
    redis_url: str, r2_storage: Mapping[str, str], folder: Path, moment: str
) -> AsyncIterator[tuple[GatewayProcess, GatewayProcess, Gate]]:
    """The gateway that will be paused, another one, and the gate on the first one's way to the bucket."""
    gate = {
        "part": Gate(r"PUT [^ ]*partNumber=2", with_head=False),
        "complete": Gate(r"POST [^ ]*uploadId=", with_head=True),
    }[moment]
    async with AsyncExitStack() as stack:
        near = await stack.enter_async_context(gate.to(r2_storage["R2_ENDPOINT_URL"].removeprefix("http://")))
        through = {**r2_storage, "R2_ENDPOINT_URL": f"http://{near}"}
        first, second = await asyncio.gather(
            *(
                asyncio.to_thread(stack.enter_context, gateway_process(redis_url, storage, folder / name))
                for storage, name in ((through, "first"), (r2_storage, "second"))
            )
        )
        yield first, second, gate


@pytest.mark.parametrize(
    ("moment", "wakes"),
    [
        ("part", "before the other finishes"),
        ("complete", "after the other finished"),
        pytest.param("part", "after the other finished", marks=pytest.mark.long),
        pytest.param("complete", "before the other finishes", marks=pytest.mark.long),
    ],
)
async def test_a_paused_gateway_that_wakes_up_changes_nothing_in_r2(
    redis_url: str, redis_client: Redis, tmp_path: Path, r2_storage: dict[str, str], moment: str, wakes: str
) -> None:
    old = some_bytes(2 * R2_PART + MIB)
    # What the older writer had recorded stays; the newer one may bring other bytes from there on.
    new = old if moment == "complete" else old[:R2_PART] + some_bytes(2 * R2_PART, seed=7)
    store = open_store(settings_of(r2_storage))
    async with paused_r2(redis_url, r2_storage, tmp_path, moment) as (first, second, gate):
        upload_id = await create(second)
        older = write(first, upload_id, chunks(old))
        await asyncio.wait_for(gate.reached.wait(), 60)
        whole = len(old) if moment == "complete" else R2_PART

        async def recorded() -> bool:
            return await committed(second, upload_id) == whole

        await eventually(recorded)
        first.process.send_signal(signal.SIGSTOP)
        if wakes.startswith("before"):
            go_on = threading.Event()
            newer = write(second, upload_id, in_two_steps(new, go_on, whole))
            await eventually(partial(taken_over, redis_client, upload_id))
            gate.release()
            first.process.send_signal(signal.SIGCONT)
            late = await outcome_of(older)
            go_on.set()
            won = await outcome_of(newer)
        else:
            won = await outcome_of(write(second, upload_id, chunks(new, whole)))
            gate.release()
            first.process.send_signal(signal.SIGCONT)
            late = await outcome_of(older)
    assert isinstance(won, pb.Upload), won
    assert won.state == pb.UPLOAD_STATE_QUEUED
    assert isinstance(late, ErrorInfo)
    assert late.reason == "CONCURRENT_WRITER"
    assert int(late.metadata["committedSize"]) >= whole
    etags, multiparts = await stored(store, upload_id)
    assert (len(etags), multiparts) == (1, [])
    key = next(iter(etags))
    record = await redis_client.hmget(f"mf:u:{upload_id}", "original", "size")
    assert record == [key.encode(), str(len(new)).encode()]
    assert await content_of(store, key) == new
    await store.close()


@pytest.mark.parametrize("moment", ["multipart_id", "sealed"])
async def test_a_paused_gateway_that_wakes_up_changes_nothing_in_a_folder(
    redis_url: str, redis_client: Redis, tmp_path: Path, moment: str
) -> None:
    storage = local_storage(tmp_path / "objects")
    store = open_store(settings_of(storage))
    content = some_bytes(20 * LOCAL_PART)
    with ExitStack() as stack:
        first, second = (stack.enter_context(gateway_process(redis_url, storage, tmp_path / name)) for name in "ab")
        for _ in range(3):
            upload_id = await create(second)
            older = write(first, upload_id, chunks(content))

            async def reached(key: str = f"mf:u:{upload_id}") -> bool:
                return bool(await redis_client.hget(key, moment))

            await eventually(reached)
            first.process.send_signal(signal.SIGSTOP)
            start = await committed(second, upload_id)
            won = await outcome_of(write(second, upload_id, chunks(content, start)))
            before = await redis_client.hgetall(f"mf:u:{upload_id}"), await stored(store, upload_id)
            first.process.send_signal(signal.SIGCONT)
            late = await outcome_of(older)
            # The older one may have finished just before it was paused: then the newer one is told the same.
            assert isinstance(late, pb.Upload) or late.reason == "CONCURRENT_WRITER"
            assert isinstance(won, pb.Upload), won
            after = await redis_client.hgetall(f"mf:u:{upload_id}"), await stored(store, upload_id)
            assert after == before
            assert len(after[1][0]) == 1
            assert await content_of(store, next(iter(after[1][0]))) == content
    await store.close()
