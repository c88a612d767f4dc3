"""Several gateways behind one name, as a headless Service has them."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from mediafleet import AsyncClient
from mediafleet.errors import Unauthenticated
from mediafleet.v1 import uploads_pb2 as pb
from tests.gateways import ANN, create, running, settings
from tests.waiting import eventually


async def test_calls_are_spread_over_the_gateways_of_one_name(
    redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    other_key = secrets.token_hex(32)
    ours, theirs = settings(redis_url, tmp_path), settings(redis_url, tmp_path, gateway={"token_key": other_key})
    async with running(ours) as first, running(theirs) as second:
        name = f"ipv4:{first.gateway.address},{second.gateway.address}"
        token = ANN[0][1].removeprefix("Bearer ")
        heard: set[str] = set()

        async def both_were_called() -> bool:
            try:
                await client.usage()
                heard.add("ours")
            except Unauthenticated:  # by the other one, which has another key
                heard.add("theirs")
            return len(heard) == 2

        async with AsyncClient(name, token=token) as client:
            await eventually(both_were_called)


async def test_a_connection_that_is_old_takes_no_new_calls_and_keeps_its_streams(
    redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    configured = settings(redis_url, tmp_path, gateway={"connection_age": timedelta(seconds=1)})
    async with running(configured) as reached:
        made = await create(reached)
        watch = reached.uploads.WatchUpload(pb.WatchUploadRequest(upload_id=made.upload_id), metadata=ANN)
        assert (await _read(watch)).HasField("snapshot")
        assert connections(reached.gateway.address.port) == 1

        async def connected_anew() -> bool:
            await reached.uploads.GetUpload(pb.GetUploadRequest(upload_id=made.upload_id), metadata=ANN)
            return connections(reached.gateway.address.port) == 2

        await eventually(connected_anew)
        await reached.uploads.CancelUpload(pb.CancelUploadRequest(upload_id=made.upload_id), metadata=ANN)
        told = await _read(watch)
        assert told.state_changed.state == pb.UPLOAD_STATE_CANCELLED


async def _read(watch: Any) -> pb.UploadEvent:
    event = await asyncio.wait_for(watch.read(), 60)
    assert isinstance(event, pb.UploadEvent)
    return event


def connections(port: int) -> int:
    """How many are established to this port, as the kernel shows them to the client's side."""
    established = "01"
    lines = [line for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == established for row in map(str.split, lines))
