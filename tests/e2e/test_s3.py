"""Files through gateways and a worker into the S3 server of the environment, as `make test-s3` names it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import SecretStr

from mediafleet import Client, UploadProgress, UploadState
from mediafleet import MediafleetError as MediafleetClientError
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.intake.crc32c import checksum
from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.storage import StorageSettings, open_store
from mediafleet_devserver.probes import NOT_YET, gateway_serves
from mediafleet_devserver.redis_server import free_port
from tests.pictures import scene
from tests.processes import state
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(
    os.environ.get("MEDIAFLEET_TEST_STORES") != "environment", reason="asks for a real S3 server: make test-s3"
)

MIB = 1 << 20
TENANT = TenantId("local")


Gateways = Mapping[str, subprocess.Popen[bytes]]
"""By address."""


@contextmanager
def process(module: str, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m MODULE` with the storage's own environment and this; gone at the end."""
    opened = subprocess.Popen([sys.executable, "-m", module], env={**os.environ, **environment})
    try:
        yield opened
    finally:
        opened.send_signal(signal.SIGCONT)
        opened.terminate()
        opened.wait(timeout=20)


@pytest.fixture
def gateways(redis_url: str, tmp_path: Path) -> Iterator[Gateways]:
    """Two gateways and a worker, which share a Redis and the S3 server."""
    environment = {
        "MEDIAFLEET_LEDGER_URL": redis_url,
        "MEDIAFLEET_BROKER_URL": redis_url.removesuffix("/0") + "/1",
        "MEDIAFLEET_SCRATCH_DIR": str(tmp_path / "scratch"),
        "MEDIAFLEET_PART_BYTES": str(5 * MIB),
        "MEDIAFLEET_DIRECT_PART_BYTES": str(5 * MIB),
        "MEDIAFLEET_DRAIN_GRACE": "PT1S",
        "MEDIAFLEET_WORKER_GRACE": "PT1S",
    }
    started = {}
    with ExitStack() as stack:
        stack.enter_context(process("mediafleet_workers", own_metrics(environment)))
        for _ in range(2):
            address = f"127.0.0.1:{free_port()}"
            told = {**own_metrics(environment), "MEDIAFLEET_GATEWAY_ADDRESS": address}
            started[address] = stack.enter_context(process("mediafleet_gateway", told))
        for address in started:
            wait_until(lambda address=address: serves(address), 60, "a gateway to serve")  # type: ignore[misc]
        yield started


def own_metrics(environment: Mapping[str, str]) -> dict[str, str]:
    return {**environment, "MEDIAFLEET_METRICS_ADDRESS": f"127.0.0.1:{free_port()}"}


def serves(address: str) -> bool:
    try:
        return asyncio.run(gateway_serves(address)())  # type: ignore[arg-type]
    except NOT_YET:
        return False


def sha256_of(client: Client, upload: pb.Upload, rendition: str = "") -> str:
    """Of what the signed URL gives, its certificate checked against SSL_CERT_FILE."""
    with urllib.request.urlopen(client.download_url(upload.upload_id, rendition), timeout=30) as answer:
        return hashlib.file_digest(answer, "sha256").hexdigest()


async def stored(upload: pb.Upload) -> tuple[list[str], list[str]]:
    """The upload's objects and unfinished multiparts, named below its prefix."""
    prefix = UploadKeys(TENANT, UploadId(upload.upload_id)).prefix
    store = open_store(StorageSettings())
    try:
        objects = [found.key.removeprefix(prefix) async for found in store.list(prefix)]
        return objects, [str(found) async for found in store.list_multiparts(prefix)]
    finally:
        await store.close()


def test_a_picture_goes_in_and_its_renditions_come_out(gateways: Gateways, tmp_path: Path) -> None:
    picture = tmp_path / "Größe.png"
    scene(2000, 1500).save(picture)
    with Client(targets=list(gateways)) as client:
        upload = client.upload(picture, wait=True, timeout=120)
        assert upload.state == UploadState.UPLOAD_STATE_SUCCEEDED
        assert upload.renditions
        sent = hashlib.sha256(picture.read_bytes()).hexdigest()
        assert sha256_of(client, upload) == sent == upload.checksums.sha256.hex()
        for made in upload.renditions:
            assert sha256_of(client, upload, made.name) == made.checksums.sha256.hex()
        assert len(asyncio.run(stored(upload))[0]) == 2 + len(upload.renditions)  # original and manifest
        client.delete(upload.upload_id)
        wait_until(lambda: asyncio.run(stored(upload)) == ([], []), 20, "the storage to be empty")


@pytest.mark.parametrize("transfer", ["stream", "direct"])
def test_a_killed_gateway_leaves_one_whole_object(
    gateways: Gateways, tmp_path: Path, transfer: Literal["stream", "direct"]
) -> None:
    film = tmp_path / "film.bin"
    film.write_bytes(os.urandom(72 * MIB + 17))
    serving = next(iter(gateways.values()))

    def kill(progress: UploadProgress) -> None:
        if progress.bytes_sent >= 24 * MIB:
            serving.kill()

    with Client(targets=list(gateways)) as client:
        upload = client.upload(film, transfer=transfer, progress=kill, wait=True, timeout=120)
        assert serving.wait() == -signal.SIGKILL
        assert upload.state == UploadState.UPLOAD_STATE_SUCCEEDED
        sent = hashlib.sha256(film.read_bytes()).hexdigest()
        assert sha256_of(client, upload) == sent == upload.checksums.sha256.hex()
        objects, multiparts = asyncio.run(stored(upload))
        assert len([key for key in objects if key.startswith("o/")]) == 1
        assert multiparts == []


def test_a_paused_gateway_wakes_up_and_changes_nothing(gateways: Gateways, tmp_path: Path) -> None:
    film = tmp_path / "film.bin"
    film.write_bytes(os.urandom(64 * MIB))
    (first, paused), (second, _) = gateways.items()

    awake = [True]

    def pause(progress: UploadProgress) -> None:
        if progress.bytes_sent >= 24 * MIB and awake:
            awake.pop()
            paused.send_signal(signal.SIGSTOP)

    def upload(target: str, **more: Any) -> pb.Upload | MediafleetClientError:
        with Client(target) as client:
            try:
                return client.upload(film, request_id="film", transfer="stream", timeout=120, **more)
            except MediafleetClientError as error:
                return error

    with ThreadPoolExecutor(1) as thread, Client(second) as client:
        overtaken = thread.submit(upload, first, progress=pause)
        wait_until(lambda: state(paused.pid) == "T", 30, "the first gateway to be paused")
        won = upload(second, wait=True)
        assert isinstance(won, pb.Upload)
        assert won.state == UploadState.UPLOAD_STATE_SUCCEEDED
        there = asyncio.run(stored(won))
        paused.send_signal(signal.SIGCONT)
        lost = overtaken.result(timeout=120)
        assert isinstance(lost, MediafleetClientError) or lost.upload_id == won.upload_id
        wait_until(lambda: serves(first), 20, "the first gateway to be awake")
        assert client.get(won.upload_id) == won
        assert sha256_of(client, won) == hashlib.sha256(film.read_bytes()).hexdigest()
        assert asyncio.run(stored(won)) == there


@pytest.mark.parametrize(
    "wrong",
    [{"r2_secret_access_key": SecretStr("x" * 32)}, {"r2_access_key_id": "nobody"}, {"r2_region": "nowhere-1"}],
    ids=["secret", "key", "region"],
)
async def test_wrong_credentials_are_refused(wrong: dict[str, SecretStr | str]) -> None:
    store = open_store(StorageSettings(**wrong))  # type: ignore[arg-type]
    with pytest.raises(MediafleetError) as refused:
        await store.put("uploads/local/wrong", [b"x"], crc32c=checksum(b"x"))
    assert refused.value.reason is Reason.STORAGE_DENIED
    await store.close()


@pytest.mark.skipif("MEDIAFLEET_STORAGE_CA_FILE" not in os.environ, reason="a server that everybody trusts")
async def test_a_certificate_of_an_unknown_authority_is_refused() -> None:
    store = open_store(StorageSettings(storage_ca_file=None))
    with pytest.raises(MediafleetError) as refused:
        await store.check()
    assert refused.value.reason is Reason.STORAGE_UNAVAILABLE
    await store.close()
