"""Copies within a store: the same on each, in one call or in equal parts; the strict endpoint holds R2's rules."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from prometheus_client import REGISTRY

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.ports import ObjectStore, StoredObject
from mediafleet_core.storage import StorageSettings, open_store
from tests.conformance.conftest import STORES, S3Endpoint
from tests.conformance.test_object_store import content_of, keys_below, put

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

MIB = 1 << 20
PART = 5 * MIB


def billed() -> float:
    return REGISTRY.get_sample_value("mediafleet_storage_billable_operations_total", {"class": "A"}) or 0.0


async def described(store: ObjectStore, key: str) -> StoredObject:
    head = await store.head(key)
    assert head is not None
    return head


@pytest.mark.parametrize("size", [0, 7, MIB + 1])
async def test_a_copy_has_the_content_and_a_type_of_its_own(store: ObjectStore, prefix: str, size: int) -> None:
    content = os.urandom(size)
    await put(store, prefix + "a", content, "text/plain")
    source = await described(store, prefix + "a")
    copy = await store.copy(source, prefix + "b", content_type="image/png", metadata={"name": "Süd.png"})
    assert (copy.key, copy.size) == (prefix + "b", size)
    assert await content_of(store, prefix + "b") == content
    head = await described(store, prefix + "b")
    assert (head.size, head.etag, head.content_type) == (size, copy.etag, "image/png")
    assert head.metadata == {"name": "Süd.png"}
    assert await described(store, prefix + "a") == source


async def test_a_source_that_is_gone_or_another_makes_no_copy(store: ObjectStore, prefix: str, strict: bool) -> None:
    await put(store, prefix + "a", b"first")
    source = await described(store, prefix + "a")
    with pytest.raises(MediafleetError) as gone:
        await store.copy(source._replace(key=prefix + "c"), prefix + "b")
    assert gone.value.reason is Reason.ORIGINAL_MISSING
    if strict:  # a lenient server looks at no condition
        with pytest.raises(MediafleetError) as changed:
            await store.copy(source._replace(etag="0" * 32), prefix + "b")
        assert changed.value.reason is Reason.SOURCE_CHANGED
    assert await keys_below(store, prefix) == [prefix + "a"]


async def test_a_listing_goes_on_behind_a_key(store: ObjectStore, prefix: str) -> None:
    names = ["a", "b/1", "b/2", "b/c/3", "d"]
    for name in names:
        await put(store, prefix + name, b"x")
    for place, after in enumerate(names, 1):
        found = [stored.key async for stored in store.list(prefix, after=prefix + after)]
        assert found == [prefix + name for name in names[place:]]
    assert [stored.key async for stored in store.list(prefix + "b/", after=prefix + "b/1a")] == [
        prefix + name for name in ("b/2", "b/c/3")
    ]


@pytest.fixture(params=[name for name in STORES if name != "local"])
def bucket(request: pytest.FixtureRequest) -> StorageSettings:
    """Each S3 server in turn."""
    if request.param == "environment":
        return StorageSettings()
    endpoint: S3Endpoint = request.getfixturevalue(f"{request.param}_endpoint")
    return endpoint.settings()


async def test_a_large_object_is_copied_in_equal_parts(bucket: StorageSettings, prefix: str) -> None:
    settings = bucket.model_copy(update={"storage_copy_bytes": PART})
    store, content, told = open_store(settings), os.urandom(2 * PART + 3), list[int]()
    try:
        await put(store, prefix + "a", content)
        source = await described(store, prefix + "a")
        before = billed()
        copy = await store.copy(source, prefix + "b", content_type="video/mp4", copied=told.append)
        assert billed() - before == 5  # to begin and to complete it, and its parts
        assert (copy.size, copy.content_type) == (len(content), "video/mp4")
        assert copy.etag.endswith("-3")
        assert told == [0, PART, 2 * PART, len(content)]
        assert await content_of(store, prefix + "b") == content
        with pytest.raises(MediafleetError) as changed:
            await store.copy(source._replace(etag="0" * 32), prefix + "c")
        assert changed.value.reason is Reason.SOURCE_CHANGED
        assert await keys_below(store, prefix) == [prefix + "a", prefix + "b"]
        assert [found async for found in store.list_multiparts(prefix)] == []
    finally:
        await store.close()


async def test_keys_of_any_characters_are_copied(bucket: StorageSettings, prefix: str) -> None:
    store = open_store(bucket)
    keys = [prefix + name for name in ("Grün & blau+1~.jpg", "a b/写真 😀.heic", "per%cent?#;=.png", "a//b")]
    try:
        for number, key in enumerate(keys):
            await put(store, key, b"%d" % number)
            await store.copy(await described(store, key), f"{prefix}copy-{number}")
        for number in range(len(keys)):
            assert await content_of(store, f"{prefix}copy-{number}") == b"%d" % number
        assert set(keys) < set(await keys_below(store, prefix))
    finally:
        await store.close()


def client(endpoint: S3Endpoint) -> S3Client:
    """Plain boto3."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint.url,
        aws_access_key_id=endpoint.key_id,
        aws_secret_access_key=endpoint.secret,
        region_name="auto",
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"total_max_attempts": 1},
        ),
    )


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    answer = raised.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_the_strict_endpoint_copies_what_was_meant_and_no_more(r2_endpoint: S3Endpoint) -> None:
    s3, bucket = client(r2_endpoint), r2_endpoint.bucket
    source, target = f"copies/{uuid.uuid4()}", f"copies/{uuid.uuid4()}"
    etag = s3.put_object(Bucket=bucket, Key=source, Body=bytes(PART + 1))["ETag"]
    copy: dict[str, Any] = {"Bucket": bucket, "Key": target, "CopySource": {"Bucket": bucket, "Key": source}}
    assert refused(s3.copy_object, **copy, CopySourceIfMatch='"other"') == ("PreconditionFailed", 412)
    assert refused(s3.copy_object, **copy, CopySourceIfNoneMatch=etag) == ("PreconditionFailed", 412)
    absent = {**copy, "CopySource": {"Bucket": bucket, "Key": "copies/absent"}}
    assert refused(s3.copy_object, **absent) == ("NoSuchKey", 404)
    elsewhere = {**copy, "CopySource": {"Bucket": "another", "Key": source}}
    assert refused(s3.copy_object, **elsewhere) == ("AccessDenied", 403)
    multipart = s3.create_multipart_upload(Bucket=bucket, Key=target)["UploadId"]
    part: dict[str, Any] = {**copy, "UploadId": multipart, "PartNumber": 1}
    assert refused(s3.upload_part_copy, **part, CopySourceRange="bytes=0-") == ("InvalidArgument", 400)
    assert refused(s3.upload_part_copy, **part, CopySourceRange=f"bytes=0-{PART + 1}") == ("InvalidRange", 416)
    assert refused(s3.upload_part_copy, **part, CopySourceIfMatch='"other"') == ("PreconditionFailed", 412)
    assert refused(s3.upload_part_copy, **{**part, "UploadId": "none"}) == ("NoSuchUpload", 404)
    done: list[CompletedPartTypeDef] = []
    for number, bounds in enumerate((f"0-{PART - 1}", f"{PART}-{PART}", "0-0"), 1):
        answer = s3.upload_part_copy(**{**part, "PartNumber": number}, CopySourceRange=f"bytes={bounds}")
        done.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
    finish: dict[str, Any] = {"Bucket": bucket, "Key": target, "UploadId": multipart}
    assert refused(s3.complete_multipart_upload, **finish, MultipartUpload={"Parts": done}) == ("InvalidPart", 400)
    s3.complete_multipart_upload(**finish, MultipartUpload={"Parts": done[:2]})
    assert s3.head_object(Bucket=bucket, Key=target)["ContentLength"] == PART + 1
