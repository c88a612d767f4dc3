"""The object stores that must behave alike."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import boto3
import pytest
from aiohttp import web
from moto.server import ThreadedMotoServer
from pydantic import SecretStr
from redis.asyncio import Redis

from mediafleet_core.ledger import RedisLedger
from mediafleet_core.ports import ObjectStore
from mediafleet_core.storage import Backend, StorageSettings, open_local, open_store, signer_of
from mediafleet_core.storage.local_http import application
from mediafleet_devserver.r2 import R2Endpoint, R2Settings, serving
from tests.ledgers import ledger_at

BUCKET = "media"
STORES = os.environ.get("MEDIAFLEET_TEST_STORES", "local,s3,r2").split(",")
"""`environment` is the S3 server that `R2_*` and `MEDIAFLEET_STORAGE*` name, used only when asked for."""


class S3Endpoint(NamedTuple):
    """An S3 server with the bucket; `strict` if it checks digests, signatures and expiry, and answers, as R2 does."""

    url: str
    key_id: str
    secret: str
    strict: bool
    backend: Backend = Backend.S3
    bucket: str = BUCKET

    def settings(self) -> StorageSettings:
        """As a process would read them."""
        return StorageSettings(
            storage=self.backend,
            r2_endpoint_url=self.url,
            r2_bucket_name=self.bucket,
            r2_access_key_id=self.key_id,
            r2_secret_access_key=SecretStr(self.secret),
        )


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[S3Endpoint]:
    """A private S3 server that lives as long as the test session."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = S3Endpoint(f"http://{host}:{port}", "key-id", "secret", strict=False)
    boto3.client(
        "s3",
        endpoint_url=endpoint.url,
        aws_access_key_id=endpoint.key_id,
        aws_secret_access_key=endpoint.secret,
        region_name="us-east-1",
    ).create_bucket(Bucket=BUCKET)
    yield endpoint
    server.stop()


@pytest.fixture(scope="session")
def r2_endpoint() -> Iterator[S3Endpoint]:
    """The same under R2's rules."""
    bucket, key_id, secret = "media-r2", "key-id", "secret"
    settings = R2Settings(r2_bucket_name=bucket, r2_access_key_id=key_id, r2_secret_access_key=SecretStr(secret))
    with serving(R2Endpoint(settings)) as url:
        yield S3Endpoint(url, key_id, secret, strict=True, backend=Backend.R2, bucket=bucket)


@asynccontextmanager
async def local_store(folder: Path) -> AsyncIterator[ObjectStore]:
    """A folder store with its file server."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        settings = StorageSettings(
            storage=Backend.LOCAL,
            storage_dir=folder,
            storage_address=f"127.0.0.1:{listening.getsockname()[1]}",
            storage_signing_key=SecretStr("a key that only tests know"),
        )
        served = open_local(settings)
        runner = web.AppRunner(application(served, signer_of(settings)), access_log=None)
        await runner.setup()
        await web.SockSite(runner, listening).start()
        store = open_store(settings)
        yield store
        await store.close()
        await runner.cleanup()
        await served.close()


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStore]:
    """Each adapter in turn, measured as processes use it."""
    if request.param == "local":
        async with local_store(tmp_path) as opened:
            yield opened
        return
    if request.param == "environment":
        settings = StorageSettings()
    else:
        settings = request.getfixturevalue(f"{request.param}_endpoint").settings()
    opened = open_store(settings)
    yield opened
    await opened.close()


@pytest.fixture
def strict(request: pytest.FixtureRequest) -> bool:
    """Whether the store under test stands on a server that checks digests, signatures and expiry."""
    backend = request.node.callspec.params["store"]
    return backend in {"local", "environment"} or bool(request.getfixturevalue(f"{backend}_endpoint").strict)


@pytest.fixture
def prefix() -> str:
    """A prefix that no other test uses."""
    return f"uploads/{uuid.uuid4()}/"


@pytest.fixture
async def ledger(redis_url: str, redis_client: Redis) -> AsyncIterator[RedisLedger]:
    """The ledger on an empty Redis."""
    async with ledger_at(redis_url) as ledger:
        yield ledger
