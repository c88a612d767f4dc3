"""Imports through gateway and SDK, from a folder of plain files and from a bucket with R2's rules."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.rpc.error_details_pb2 import BadRequest, QuotaFailure
from grpc import StatusCode
from redis.asyncio import Redis

from mediafleet import AsyncClient, FailedPrecondition, Importable, InvalidArgument, NotFound, UploadState
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core.errors import Reason
from mediafleet_core.intake.crc32c import checksum
from tests.gateways import ANN, Refusal, bearer, create, refused, send
from tests.imports import Place, empty, place, take, token
from tests.workers import settings as worker_settings
from tests.workers import working

LIMITS = {"strict": {"tenant_bytes": 1000, "allowed_types": ["image/*"], "max_upload_bytes": {"IMAGE": 500}}}
STRICT = bearer("strict")


@pytest.fixture(params=["folder", "bucket"])
async def here(
    request: pytest.FixtureRequest, redis_url: str, redis_client: Redis, tmp_path: Path
) -> AsyncIterator[Place]:
    """Each storage in turn, empty."""
    gateway = {"tenants": json.dumps(LIMITS)}
    if request.param == "folder":
        async with place(redis_url, tmp_path, gateway=gateway) as made:
            yield made
        return
    async with empty(request.getfixturevalue("r2"), redis_url, tmp_path, gateway=gateway) as made:
        yield made


async def test_an_object_becomes_an_upload_as_any_other(here: Place, redis_url: str, tmp_path: Path) -> None:
    content = os.urandom(300_000)
    found = await here.only("2026/may/Süd (1).bin", content)
    assert (found.size_bytes, found.content_type) == (len(content), "application/octet-stream")
    batch = await here.client.batches.create("imported", collection="trip")
    upload = await here.client.imports.take(found, batch_id=batch.batch_id, labels={"a": "b"})
    assert (upload.state, upload.committed_size) == (UploadState.UPLOAD_STATE_QUEUED, len(content))
    assert (upload.display_name, upload.path) == ("Süd (1).bin", "2026/may/Süd (1).bin")
    assert (upload.transfer, upload.collection) == (pb.TRANSFER_IMPORT, "trip")
    assert not upload.HasField("checksums")  # nobody has read the bytes yet
    assert (await here.client.usage()).originals.bytes == len(content)
    async with working(worker_settings(redis_url, tmp_path)._replace(storage=here.storage)):
        done = await here.client.wait(upload.upload_id, timeout=60)
    assert done.state == UploadState.UPLOAD_STATE_SUCCEEDED
    assert done.checksums.sha256 == hashlib.sha256(content).digest()
    assert done.checksums.crc32c == checksum(content)
    (row,) = [row async for row in here.client.batches.report(batch.batch_id)]
    assert row.path == "2026/may/Süd (1).bin"
    assert await here.found() == [found]


async def test_a_repeated_call_answers_the_same_upload_also_when_the_object_is_gone(here: Place) -> None:
    found = await here.only("a.bin")
    first = await here.client.imports.take(found)
    await here.shelf.drop("ann/a.bin")
    assert await here.client.imports.take(found) == first
    with pytest.raises(NotFound) as gone:
        await here.client.imports.take(found, labels={"another": "upload"})
    assert gone.value.reason == "SOURCE_NOT_FOUND"
    await here.client.cancel(first.upload_id)
    again = await here.only("a.bin")
    assert (await here.client.imports.take(again)).upload_id != first.upload_id
    with refused(StatusCode.FAILED_PRECONDITION, Reason.REQUEST_ID_REUSED):
        await take(here, again, request_id=first.request_id, spec=pb.UploadSpec(caption="other"))


async def test_listings_have_pages_and_are_the_tenants_own(here: Place) -> None:
    for key in ("ann/a/1", "ann/a/2", "ann/b", "bob/a/1", "ann-2/a/1"):
        await here.shelf.put(key, key.encode())
    assert [found.key for found in await here.found()] == ["a/1", "a/2", "b"]
    assert [found.key for found in await here.found("a/")] == ["a/1", "a/2"]
    assert await here.found("c") == []
    assert await here.found("../bob/") == []
    paged = [found.key async for found in here.client.imports.list(page_size=1)]
    assert paged == ["a/1", "a/2", "b"]
    listed = await here.reached.uploads.ListImportables(pb.ListImportablesRequest(page_size=1), metadata=ANN)
    other = pb.ListImportablesRequest(prefix="a", page_token=listed.next_page_token)
    with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest):
        await here.reached.uploads.ListImportables(other, metadata=ANN)
    async with AsyncClient(str(here.reached.gateway.address), token=token(bearer("bob"))) as bob:
        (bobs,) = [found async for found in bob.imports.list()]
    for key in ("../bob/a/1", "x/../../bob/a/1", "./b", ""):
        with pytest.raises(InvalidArgument):
            await here.client.imports.take(Importable(key=key, etag=bobs.etag))


async def test_what_is_refused_leaves_nothing_behind(here: Place) -> None:
    found = await here.only("a.jpg", b"x" * 400)
    with pytest.raises(FailedPrecondition) as changed:
        await here.client.imports.take(Importable(key=found.key, etag="other"))
    assert changed.value.reason == "SOURCE_CHANGED"
    with pytest.raises(InvalidArgument) as named:
        await here.client.imports.take(found, display_name="a/b")
    assert {violation.field for violation in named.value.violations} == {"spec.display_name"}

    async def strict(spec: pb.UploadSpec, content: bytes, *kinds: type, reason: Reason, code: StatusCode) -> Refusal:
        await here.shelf.put("strict/x.jpg", content)
        request = pb.ListImportablesRequest()
        (source,) = (await here.reached.uploads.ListImportables(request, metadata=STRICT)).importables
        ask = pb.ImportUploadRequest(source_key=source.key, source_etag=source.etag, spec=spec, request_id="r")
        with refused(code, reason, *kinds) as refusal:
            await here.reached.uploads.ImportUpload(ask, metadata=STRICT)
        return refusal

    wrong = StatusCode.INVALID_ARGUMENT
    pdf = pb.UploadSpec(content_type="application/pdf")
    await strict(pdf, b"x", reason=Reason.CONTENT_TYPE_NOT_ALLOWED, code=wrong)
    await strict(pb.UploadSpec(), b"x" * 501, BadRequest, reason=Reason.OBJECT_TOO_LARGE, code=wrong)
    for spec in (pb.UploadSpec(size_bytes=1), pb.UploadSpec(transfer=pb.TRANSFER_DIRECT)):
        await strict(spec, b"x", BadRequest, reason=Reason.FIELD_INVALID, code=wrong)
    for _ in range(2):
        spec, content = pb.UploadSpec(display_name="a.jpg"), b"x" * 400
        await here.reached.uploads.UploadFile(pb.UploadFileRequest(spec=spec, content=content), metadata=STRICT)
    exceeded = StatusCode.RESOURCE_EXHAUSTED
    await strict(pb.UploadSpec(), b"x" * 400, QuotaFailure, reason=Reason.QUOTA_EXCEEDED, code=exceeded)
    assert [upload async for upload in here.client.list()] == []
    assert not [key for key in await here.left() if key.startswith("uploads/ann/")]


async def test_an_import_takes_no_bytes_and_is_made_in_no_other_way(here: Place, redis_client: Redis) -> None:
    upload = await here.client.imports.take(await here.only("empty", b""))
    assert (upload.state, upload.size_bytes) == (UploadState.UPLOAD_STATE_QUEUED, 0)
    with refused(StatusCode.FAILED_PRECONDITION, Reason.TRANSFER_MISMATCH):
        await send(here.reached, pb.WriteUploadRequest(upload_id=upload.upload_id, content=b"x"))
    with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest):
        await create(here.reached, transfer=pb.TRANSFER_IMPORT)


async def test_declared_checksums_are_held_by_the_worker(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    sums = (pb.Checksums(crc32c=1), pb.Checksums(sha256=bytes(32)), pb.Checksums(crc32c=checksum(b"content")))
    async with place(redis_url, tmp_path) as here, working(worker_settings(redis_url, tmp_path)):
        found = await here.only("a.bin")
        uploads = [await take(here, found, spec=pb.UploadSpec(checksums=declared)) for declared in sums]
        done = [await here.client.wait(upload.upload_id, timeout=60) for upload in uploads]
    mismatch = "OBJECT_CHECKSUM_MISMATCH"
    assert [upload.failure.code for upload in done] == [mismatch, mismatch, ""]
