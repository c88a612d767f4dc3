"""What is no regular file: bytes that come once are streamed, and what has none is refused."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from mediafleet import AsyncClient, InvalidArgument
from tests.gateways import ANN, running, settings
from tests.integration.scripted_gateway import ScriptedGateway, serving

LIMIT = 3 << 20


@pytest.fixture
async def limited(redis_url: str, redis_client: Redis, tmp_path: Path) -> AsyncIterator[AsyncClient]:
    """A client of a real gateway, for which a file may have 3 MiB."""
    limits = {"ann": {"max_upload_bytes": {"OTHER": LIMIT}}}
    configured = settings(redis_url, tmp_path / "objects", gateway={"tenants": json.dumps(limits)})
    token = ANN[0][1].removeprefix("Bearer ")
    async with running(configured) as here, AsyncClient(str(here.gateway.address), token=token) as client:
        yield client


async def test_a_device_that_never_ends_ends_at_the_limit(limited: AsyncClient) -> None:
    with await asyncio.to_thread(Path("/dev/zero").open, "rb") as opened:
        for endless in ("/dev/zero", opened):
            with pytest.raises(InvalidArgument) as caught:
                await limited.upload(endless)
            assert caught.value.reason == "OBJECT_TOO_LARGE"
    assert [upload.committed_size <= LIMIT async for upload in limited.list()] == [True, True]


async def test_a_device_without_bytes_is_an_empty_file(limited: AsyncClient) -> None:
    assert (await limited.upload("/dev/null")).size_bytes == 0


async def test_what_comes_once_is_sent_anew_where_files_go_on() -> None:
    gateway = ScriptedGateway()
    async with serving(gateway) as address, AsyncClient(address) as client:
        uploads = {(await client.upload("/dev/null", resume=True)).upload_id for _ in range(2)}
    assert len(uploads) == 2


async def test_what_has_no_bytes_is_refused_by_the_system(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        async with AsyncClient("127.0.0.1:1") as client:
            with pytest.raises(IsADirectoryError):
                await client.upload(tmp_path)
            with pytest.raises(OSError, match="No such device or address"):
                await client.upload(tmp_path / "socket")
