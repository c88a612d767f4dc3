"""The strict endpoint refuses what R2 refuses, each rule provoked with plain boto3 or HTTP, and takes what R2 takes."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import boto3
import google_crc32c
import pytest
import requests
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from pydantic import SecretStr
from requests.structures import CaseInsensitiveDict

from mediafleet_devserver.r2 import Fault, FaultKind, R2Endpoint, R2Settings, serving
from mediafleet_devserver.r2.contents import backend
from mediafleet_devserver.r2.operations import Operation
from tests.waiting import wait_until

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

MIB = 1 << 20
PART = 5 * MIB
BUCKET = "r2-rules"
KEY, SECRET = "object-key", "object-secret"
ADMIN, ADMIN_SECRET = "admin-key", "admin-secret"


def settings(bucket: str) -> R2Settings:
    return R2Settings(
        r2_bucket_name=bucket,
        r2_access_key_id=KEY,
        r2_secret_access_key=SecretStr(SECRET),
        r2_admin_access_key_id=ADMIN,
        r2_admin_secret_access_key=SecretStr(ADMIN_SECRET),
    )


@pytest.fixture(scope="module")
def endpoint() -> R2Endpoint:
    return R2Endpoint(settings(BUCKET), write_interval=timedelta(0))


@pytest.fixture(scope="module")
def url(endpoint: R2Endpoint) -> Iterator[str]:
    with serving(endpoint) as url:
        yield url


@pytest.fixture
def key() -> str:
    return f"uploads/{uuid.uuid4()}/Grün & blau+1~.jpg"


def client(url: str, key_id: str = KEY, secret: str = SECRET, region: str = "auto", **config: Any) -> S3Client:
    """A client set up as R2 needs it, but for `config`."""
    fitting: dict[str, Any] = {
        "signature_version": "s3v4",
        "s3": {"addressing_style": "path"},
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
        "retries": {"total_max_attempts": 1},
    }
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        region_name=region,
        config=Config(**fitting | config),
    )


@pytest.fixture(scope="module")
def s3(url: str) -> S3Client:
    return client(url)


@pytest.fixture(scope="module")
def admin(url: str) -> S3Client:
    return client(url, ADMIN, ADMIN_SECRET)


@contextmanager
def refused(code: str, status: int) -> Iterator[None]:
    """Fails unless the one call inside is refused just so."""
    with pytest.raises(ClientError) as caught:
        yield
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)


def content_of(s3: S3Client, key: str, bucket: str = BUCKET) -> bytes:
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def crc32c(content: bytes) -> str:
    return b64encode(int(google_crc32c.value(content)).to_bytes(4, "big")).decode()


def signed_get(
    url: str, key: str, *, age: timedelta = timedelta(0), lifetime: timedelta | None = None
) -> requests.Response:
    """A GET signed `age` ago, in its headers or (with a lifetime) in its URL, by hand as botocore signs only now."""
    credentials = Credentials(KEY, SECRET)
    signer: Any = S3SigV4Auth(credentials, "s3", "auto")
    if lifetime:
        signer = S3SigV4QueryAuth(credentials, "s3", "auto", int(lifetime.total_seconds()))
    request = AWSRequest("GET", f"{url}/{BUCKET}/{key}")
    request.context["timestamp"] = (datetime.now(UTC) - age).strftime("%Y%m%dT%H%M%SZ")
    signer._modify_request_before_signing(request)
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    signer._inject_signature_to_request(request, signature)
    return requests.get(str(request.url), headers=dict(request.headers.items()), timeout=10)


def signed_put(url: str, key: str, body: bytes, headers: Mapping[str, str]) -> requests.Response:
    """A PUT with headers that boto3 would not send, correctly signed."""
    request = AWSRequest("PUT", f"{url}/{BUCKET}/{quote(key)}", headers=dict(headers), data=body)
    signer: Any = S3SigV4Auth(Credentials(KEY, SECRET), "s3", "auto")
    if payload := headers.get("x-amz-content-sha256"):
        signer.payload = lambda _: payload
    signer.add_auth(request)
    return requests.put(str(request.url), data=body, headers=dict(request.headers.items()), timeout=10)


# --- Parts ----------------------------------------------------------------------------------------------------------


def send_parts(s3: S3Client, key: str, sizes: Mapping[int, int]) -> tuple[str, list[CompletedPartTypeDef]]:
    multipart = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    return multipart, [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(
                Bucket=BUCKET, Key=key, UploadId=multipart, PartNumber=number, Body=bytes([number % 256]) * size
            )["ETag"],
        }
        for number, size in sizes.items()
    ]


def complete(s3: S3Client, key: str, multipart: str, parts: list[CompletedPartTypeDef]) -> str:
    named = {"Bucket": BUCKET, "Key": key, "UploadId": multipart}
    return s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})["ETag"]  # type: ignore[arg-type]


@pytest.mark.parametrize("last", [1, PART], ids=["smaller", "as large"])
def test_equal_parts_with_a_last_one(s3: S3Client, key: str, last: int) -> None:
    complete(s3, key, *send_parts(s3, key, {1: PART, 2: PART, 10_000: last}))
    assert len(content_of(s3, key)) == 2 * PART + last


@pytest.mark.parametrize(
    "sizes",
    [{1: PART, 2: PART + 1, 3: 9}, {1: PART + 1, 2: PART, 3: 9}, {1: PART, 2: PART + 1}],
    ids=["second larger", "second smaller", "last larger"],
)
def test_unequal_parts_are_found_out_at_complete(s3: S3Client, key: str, sizes: dict[int, int]) -> None:
    multipart, parts = send_parts(s3, key, sizes)
    with refused("InvalidPart", 400):
        complete(s3, key, multipart, parts)
    with refused("404", 404):
        s3.head_object(Bucket=BUCKET, Key=key)
    s3.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=multipart)


def test_parts_below_five_mebibytes_are_refused(s3: S3Client, key: str) -> None:
    multipart, parts = send_parts(s3, key, {1: PART - 1, 2: PART - 1})
    with refused("EntityTooSmall", 400):
        complete(s3, key, multipart, parts)
    s3.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=multipart)


@pytest.mark.parametrize("number", [0, 10_001])
def test_part_numbers_go_from_1_to_10000(s3: S3Client, key: str, number: int) -> None:
    with refused("InvalidArgument", 400):
        send_parts(s3, key, {number: 1})


def test_complete_wants_the_parts_that_it_has_in_their_order(s3: S3Client, key: str) -> None:
    multipart, parts = send_parts(s3, key, {1: PART, 2: PART})
    with refused("InvalidPartOrder", 400):
        complete(s3, key, multipart, parts[::-1])
    with refused("InvalidPart", 400):
        complete(s3, key, multipart, [parts[0], {**parts[1], "ETag": parts[0]["ETag"]}])
    complete(s3, key, multipart, parts)


def test_a_multipart_that_is_gone_is_told_so(s3: S3Client, key: str) -> None:
    multipart, parts = send_parts(s3, key, {1: 1})
    assert [part["Size"] for part in s3.list_parts(Bucket=BUCKET, Key=key, UploadId=multipart)["Parts"]] == [1]
    s3.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=multipart)
    with refused("NoSuchUpload", 404):
        s3.upload_part(Bucket=BUCKET, Key=key, UploadId=multipart, PartNumber=1, Body=b"x")
    with refused("NoSuchUpload", 404):
        complete(s3, key, multipart, parts)
    with refused("NoSuchUpload", 404):
        s3.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=multipart)


def test_unfinished_multiparts_are_listed(s3: S3Client, key: str) -> None:
    multipart, _ = send_parts(s3, key, {1: 1})
    listed = s3.list_multipart_uploads(Bucket=BUCKET, Prefix=key)["Uploads"]
    assert [(unfinished["Key"], unfinished["UploadId"]) for unfinished in listed] == [(key, multipart)]
    s3.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=multipart)


def test_a_multipart_listed_while_it_is_made_is_new(s3: S3Client, key: str) -> None:
    made = datetime.now(UTC).replace(microsecond=0)
    none = CaseInsensitiveDict[str]()
    multipart = backend().create_multipart_upload(BUCKET, key, none, "STANDARD", {}, None, "", "").id  # no answer yet
    (listed,) = s3.list_multipart_uploads(Bucket=BUCKET, Prefix=key)["Uploads"]
    assert (listed["UploadId"], listed["Initiated"] >= made) == (multipart, True)
    s3.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=multipart)


# --- Write rate -----------------------------------------------------------------------------------------------------


def test_two_writes_to_one_key_come_too_fast() -> None:
    bucket = "r2-slow"
    with serving(R2Endpoint(settings(bucket), write_interval=timedelta(hours=1))) as url:
        s3 = client(url)
        s3.put_object(Bucket=bucket, Key="a", Body=b"first")
        with refused("TooManyRequests", 429):
            s3.put_object(Bucket=bucket, Key="a", Body=b"second")
        with refused("TooManyRequests", 429):
            s3.copy_object(Bucket=bucket, Key="a", CopySource=f"{bucket}/a")
        multipart = s3.create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]
        named = {"Bucket": bucket, "Key": "a", "UploadId": multipart}
        for _ in range(3):  # parts may come as they like
            part = s3.upload_part(**named, PartNumber=1, Body=b"x")  # type: ignore[arg-type]
        with refused("TooManyRequests", 429):
            s3.complete_multipart_upload(
                **named,  # type: ignore[arg-type]
                MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
            )
        s3.put_object(Bucket=bucket, Key="b", Body=b"another key")
        assert content_of(s3, "a", bucket) == b"first"


def test_a_write_after_the_interval_replaces() -> None:
    bucket = "r2-soon"
    with serving(R2Endpoint(settings(bucket), write_interval=timedelta(seconds=0.2))) as url:
        s3 = client(url)
        s3.put_object(Bucket=bucket, Key="a", Body=b"first")

        def replaced() -> bool:
            try:
                s3.put_object(Bucket=bucket, Key="a", Body=b"second")
            except ClientError:
                return False
            return True

        wait_until(replaced, message="the second write")
        assert content_of(s3, "a", bucket) == b"second"


# --- Integrity ------------------------------------------------------------------------------------------------------


def test_the_default_checksums_of_the_sdk_are_refused(url: str, key: str) -> None:
    default = client(url, request_checksum_calculation="when_supported")
    with refused("NotImplemented", 501):
        default.put_object(Bucket=BUCKET, Key=key, Body=b"content")
    with refused("NotImplemented", 501):
        default.create_multipart_upload(Bucket=BUCKET, Key=key, ChecksumAlgorithm="CRC32")


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC64NVME"])
def test_checksums_that_r2_does_not_take_are_refused(url: str, key: str, algorithm: Any) -> None:
    answer = signed_put(url, key, b"content", {f"x-amz-checksum-{algorithm.lower()}": "AAAAAA=="})
    assert (answer.status_code, "NotImplemented" in answer.text) == (501, True)


@pytest.mark.parametrize(
    "payload", ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"]
)
def test_chunked_payloads_with_trailers_are_refused(url: str, key: str, payload: str) -> None:
    headers = {
        "x-amz-content-sha256": payload,
        "x-amz-trailer": "x-amz-checksum-crc32",
        "content-encoding": "aws-chunked",
    }
    answer = signed_put(url, key, b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", headers)
    assert (answer.status_code, "NotImplemented" in answer.text) == (501, True)


def test_crc32c_of_a_put_is_verified(s3: S3Client, key: str) -> None:
    with refused("BadDigest", 400):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"content", ChecksumCRC32C=crc32c(b"other"))
    with refused("404", 404):
        s3.head_object(Bucket=BUCKET, Key=key)
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"content", ChecksumCRC32C=crc32c(b"content"))
    assert content_of(s3, key) == b"content"


def test_crc32c_of_parts_is_verified_when_sent_and_when_completed(s3: S3Client, key: str) -> None:
    contents = {1: os.urandom(PART), 2: b"tail"}
    multipart = s3.create_multipart_upload(Bucket=BUCKET, Key=key, ChecksumAlgorithm="CRC32C")["UploadId"]
    with refused("BadDigest", 400):
        s3.upload_part(Bucket=BUCKET, Key=key, UploadId=multipart, PartNumber=1, Body=b"x", ChecksumCRC32C=crc32c(b"y"))
    parts: list[CompletedPartTypeDef] = []
    for number, content in contents.items():
        digest = crc32c(content)
        answer = s3.upload_part(
            Bucket=BUCKET, Key=key, UploadId=multipart, PartNumber=number, Body=content, ChecksumCRC32C=digest
        )
        parts.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32C": digest})
    with refused("InvalidPart", 400):
        complete(s3, key, multipart, [parts[0], {**parts[1], "ChecksumCRC32C": crc32c(b"other")}])
    with refused("InvalidPart", 400):
        complete(s3, key, multipart, [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts])
    etag = complete(s3, key, multipart, parts)
    md5s = b"".join(hashlib.md5(content, usedforsecurity=False).digest() for content in contents.values())
    assert etag == f'"{hashlib.md5(md5s, usedforsecurity=False).hexdigest()}-2"'
    assert content_of(s3, key) == contents[1] + contents[2]


def test_content_md5_is_verified(s3: S3Client, key: str) -> None:
    right, wrong = (
        b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode() for content in (b"content", b"other")
    )
    with refused("BadDigest", 400):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"content", ContentMD5=wrong)
    with refused("InvalidDigest", 400):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"content", ContentMD5="nonsense")
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"content", ContentMD5=right)


def test_a_signed_body_is_verified(url: str, key: str) -> None:
    answer = signed_put(url, key, b"content", {"x-amz-content-sha256": hashlib.sha256(b"other").hexdigest()})
    assert (answer.status_code, "XAmzContentSHA256Mismatch" in answer.text) == (400, True)


def test_a_body_that_ends_early_is_refused(s3: S3Client, url: str, key: str) -> None:
    target = urlsplit(s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": key}))
    assert target.hostname is not None
    with socket.create_connection((target.hostname, target.port or 0), timeout=10) as connection:
        head = f"PUT {target.path}?{target.query} HTTP/1.1\r\nHost: {target.netloc}\r\nContent-Length: 10\r\n\r\n"
        connection.sendall(head.encode() + b"short")
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"IncompleteBody" in answer
    with refused("404", 404):
        s3.head_object(Bucket=BUCKET, Key=key)


def test_a_body_of_unknown_length_is_refused(s3: S3Client, key: str) -> None:
    target = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": key})
    answer = requests.put(target, data=iter([b"content"]), timeout=10)
    assert (answer.status_code, "MissingContentLength" in answer.text) == (411, True)


# --- Authentication -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("region", ["auto", "us-east-1"])
def test_a_right_signature_is_accepted(url: str, key: str, region: str) -> None:
    s3 = client(url, region=region)
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"content", Metadata={"name": "a  b"}, ContentType="image/jpeg")
    assert content_of(s3, key) == b"content"
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=key)
    assert [found["Key"] for found in listed["Contents"]] == [key]


def test_wrong_keys_are_refused(url: str, key: str) -> None:
    with refused("SignatureDoesNotMatch", 403):
        client(url, secret="wrong").list_objects_v2(Bucket=BUCKET)
    with refused("InvalidAccessKeyId", 403):
        client(url, key_id="unknown").list_objects_v2(Bucket=BUCKET)
    with refused("InvalidRegionName", 400):
        client(url, region="eu-central-1").list_objects_v2(Bucket=BUCKET)
    answer = requests.get(f"{url}/{BUCKET}/{key}", timeout=10)
    assert (answer.status_code, "AccessDenied" in answer.text) == (403, True)


def test_sigv2_is_refused(url: str, key: str) -> None:
    with refused("Unauthorized", 401):
        client(url, signature_version="s3").list_objects_v2(Bucket=BUCKET)
    target = client(url, signature_version="s3").generate_presigned_url(
        "get_object", Params={"Bucket": BUCKET, "Key": key}
    )
    answer = requests.get(target, timeout=10)
    assert (answer.status_code, "SigV2" in answer.text) == (401, True)


def test_a_clock_may_be_fifteen_minutes_off(url: str, s3: S3Client) -> None:
    s3.put_object(Bucket=BUCKET, Key="clock", Body=b"content")
    for minutes, status in {-16: 403, -14: 200, 14: 200, 16: 403}.items():
        answer = signed_get(url, "clock", age=timedelta(minutes=minutes))
        assert (answer.status_code, "RequestTimeTooSkewed" in answer.text) == (status, status == 403), minutes


def test_a_presigned_url_is_good_for_what_it_names_until_it_expires(s3: S3Client, key: str) -> None:
    target = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": key})
    assert requests.put(target, data=b"content", timeout=10).status_code == 200
    target = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key})
    assert requests.get(target, timeout=10).content == b"content"
    assert requests.head(target, timeout=10).status_code == 403
    for changed in (target.replace("uploads", "upload5"), target.replace("X-Amz-Expires=3600", "X-Amz-Expires=3601")):
        assert changed != target
        answer = requests.get(changed, timeout=10)
        assert (answer.status_code, "SignatureDoesNotMatch" in answer.text) == (403, True)
    assert requests.get(target, headers={"x-amz-meta-a": "unsigned"}, timeout=10).status_code == 403


def test_a_presigned_url_of_nothing_is_not_found(s3: S3Client, key: str) -> None:
    target = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key})
    assert requests.get(target, timeout=10).status_code == 404


def test_presigned_urls_last_a_week_at_most(url: str, s3: S3Client) -> None:
    s3.put_object(Bucket=BUCKET, Key="week", Body=b"content")
    week = timedelta(days=7)
    assert signed_get(url, "week", age=week - timedelta(minutes=1), lifetime=week).status_code == 200
    expired = signed_get(url, "week", age=timedelta(seconds=2), lifetime=timedelta(seconds=1))
    assert (expired.status_code, "Request has expired" in expired.text) == (403, True)
    longer = signed_get(url, "week", lifetime=week + timedelta(seconds=1))
    assert (longer.status_code, "AuthorizationQueryParametersError" in longer.text) == (400, True)


def test_presigned_gets_answer_ranges_and_overrides(s3: S3Client, key: str) -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"0123456789", ContentType="image/heic")
    disposition = "attachment; filename*=UTF-8''Gr%C3%BCn.jpg"
    target = s3.generate_presigned_url(
        "get_object",
        Params={
            "Bucket": BUCKET,
            "Key": key,
            "ResponseContentDisposition": disposition,
            "ResponseContentType": "image/jpeg",
        },
    )
    answer = requests.get(target, headers={"Range": "bytes=2-4"}, timeout=10)
    assert (answer.status_code, answer.content) == (206, b"234")
    assert answer.headers["Content-Range"] == "bytes 2-4/10"
    assert answer.headers["Content-Disposition"] == disposition
    assert answer.headers["Content-Type"] == "image/jpeg"


# --- Features and permissions ---------------------------------------------------------------------------------------


def test_what_r2_lacks_is_not_implemented(admin: S3Client, key: str) -> None:
    named: Any = {"Bucket": BUCKET, "Key": key}
    admin.put_object(**named, Body=b"content")
    tags: Any = {"TagSet": [{"Key": "a", "Value": "b"}]}
    calls: list[Callable[[], object]] = [
        lambda: admin.get_object_acl(**named),
        lambda: admin.put_object(**named, Body=b"content", ACL="public-read"),
        lambda: admin.get_object_tagging(**named),
        lambda: admin.put_object(**named, Body=b"content", Tagging="a=b"),
        lambda: admin.put_bucket_tagging(Bucket=BUCKET, Tagging=tags, ChecksumAlgorithm="SHA256"),
        lambda: admin.get_bucket_versioning(Bucket=BUCKET),
        lambda: admin.list_object_versions(Bucket=BUCKET),
        lambda: admin.get_object(**named, VersionId="1"),
        lambda: admin.get_object_retention(**named),
        lambda: admin.put_object(**named, Body=b"content", ObjectLockLegalHoldStatus="ON"),
        lambda: admin.get_object_lock_configuration(Bucket=BUCKET),
        lambda: admin.get_bucket_policy(Bucket=BUCKET),
    ]
    for call in calls:
        with refused("NotImplemented", 501):
            call()


def test_post_forms_are_not_implemented(s3: S3Client, key: str) -> None:
    form = s3.generate_presigned_post(BUCKET, key)
    answer = requests.post(form["url"], data=form["fields"], files={"file": b"content"}, timeout=10)
    assert answer.status_code in {403, 501}
    with refused("404", 404):
        s3.head_object(Bucket=BUCKET, Key=key)


def test_a_token_for_objects_reaches_no_bucket_configuration(s3: S3Client) -> None:
    rules: Any = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
    calls: list[Callable[[], object]] = [
        s3.list_buckets,
        lambda: s3.create_bucket(Bucket="r2-other"),
        lambda: s3.get_bucket_location(Bucket=BUCKET),
        lambda: s3.get_bucket_cors(Bucket=BUCKET),
        lambda: s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration=rules, ChecksumAlgorithm="SHA256"),
        lambda: s3.get_bucket_lifecycle_configuration(Bucket=BUCKET),
        lambda: s3.list_objects_v2(Bucket="r2-other"),
        lambda: s3.copy_object(Bucket=BUCKET, Key="a", CopySource="r2-other/a"),
    ]
    for call in calls:
        with refused("AccessDenied", 403):
            call()
    with refused("403", 403):
        s3.head_bucket(Bucket=BUCKET)


def test_an_admin_configures_buckets(admin: S3Client) -> None:
    rules: Any = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.com"]}]}
    admin.put_bucket_cors(Bucket=BUCKET, CORSConfiguration=rules, ChecksumAlgorithm="SHA256")
    assert admin.get_bucket_cors(Bucket=BUCKET)["CORSRules"][0]["AllowedOrigins"] == ["https://example.com"]
    admin.delete_bucket_cors(Bucket=BUCKET)
    admin.create_bucket(Bucket="r2-made")
    admin.delete_bucket(Bucket="r2-made")
    assert BUCKET in {bucket["Name"] for bucket in admin.list_buckets()["Buckets"]}
    admin.head_bucket(Bucket=BUCKET)
    expiry: Any = {"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "t/"}, "Expiration": {"Days": 1}}]}
    admin.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration=expiry, ChecksumAlgorithm="SHA256")
    assert admin.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"][0]["ID"] == "r"
    admin.delete_bucket_lifecycle(Bucket=BUCKET)


def test_conditions_are_kept(s3: S3Client, key: str) -> None:
    etag = s3.put_object(Bucket=BUCKET, Key=key, Body=b"content", IfNoneMatch="*")["ETag"]
    with refused("PreconditionFailed", 412):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"other", IfNoneMatch="*")
    assert s3.get_object(Bucket=BUCKET, Key=key, IfMatch=etag)["ETag"] == etag
    with refused("PreconditionFailed", 412):
        s3.get_object(Bucket=BUCKET, Key=key, IfMatch='"other"')


# --- Faults ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def faulty(endpoint: R2Endpoint) -> Iterator[R2Endpoint]:
    yield endpoint
    endpoint.faults.plan([])


@pytest.mark.parametrize(
    ("kind", "code"), [("429", "TooManyRequests"), ("500", "InternalError"), ("503", "ServiceUnavailable")]
)
def test_the_next_requests_fail_as_planned(
    faulty: R2Endpoint, url: str, s3: S3Client, key: str, kind: str, code: str
) -> None:
    plan: Any = [{"kind": kind, "times": 2, "operations": ["PutObject"]}]
    assert requests.put(f"{url}/_faults", json=plan, timeout=10).status_code == 204
    s3.list_objects_v2(Bucket=BUCKET, Prefix=key)
    for _ in range(2):
        with refused(code, int(kind)):
            s3.put_object(Bucket=BUCKET, Key=key, Body=b"content")
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"content")
    assert requests.put(f"{url}/_faults", json=[{"kind": "418"}], timeout=10).status_code == 400


def test_content_crawls_and_comes_whole(faulty: R2Endpoint, s3: S3Client, key: str) -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=bytes(range(250)) * 10)
    faulty.faults.plan([Fault(kind=FaultKind.CRAWL, bytes_per_second=10_000)])
    began = time.monotonic()
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == bytes(range(250)) * 10
    assert time.monotonic() - began >= 0.2  # 2,500 bytes


def test_connections_break_before_or_after_the_work(faulty: R2Endpoint, s3: S3Client, key: str) -> None:
    for kind, done in ((FaultKind.RESET, False), (FaultKind.LOSE_ANSWER, True)):
        faulty.faults.plan([Fault(kind=kind, times=1)])
        with pytest.raises(ConnectionClosedError):
            s3.put_object(Bucket=BUCKET, Key=key, Body=b"content")
        assert ("Contents" in s3.list_objects_v2(Bucket=BUCKET, Prefix=key)) is done


def test_answers_stall(faulty: R2Endpoint, url: str) -> None:
    faulty.faults.plan([Fault(kind=FaultKind.STALL, times=1, seconds=2)])
    with pytest.raises(ReadTimeoutError):
        client(url, read_timeout=0.2).list_objects_v2(Bucket=BUCKET, MaxKeys=1)


def test_a_seed_fails_the_same_requests_again(faulty: R2Endpoint) -> None:
    def series() -> list[bool]:
        faulty.faults.plan([Fault(kind=FaultKind.ERROR, probability=0.5, seed=7)])
        return [faulty.faults.next(Operation.PUT_OBJECT) is not None for _ in range(50)]

    first = series()
    assert first == series()
    assert 10 < sum(first) < 40


# --- The process ----------------------------------------------------------------------------------------------------


def test_the_process_serves_ends_cleanly_and_finds_its_objects_again(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "R2_BUCKET_NAME": "r2-process",
        "R2_ACCESS_KEY_ID": KEY,
        "R2_SECRET_ACCESS_KEY": SECRET,
    }
    command = [sys.executable, "-m", "mediafleet_devserver.r2", "--port", "0", "--data-dir", str(tmp_path)]

    def started() -> tuple[subprocess.Popen[str], S3Client]:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        words = process.stdout.readline().split()
        assert words[:3] == ["R2", "endpoint", "ready"]
        url = words[4].rstrip(",")
        assert requests.get(f"{url}/_health", timeout=10).status_code == 200
        return process, client(url)

    def ended(process: subprocess.Popen[str]) -> int:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
        return process.returncode

    process, s3 = started()
    named: Any = {"Bucket": "r2-process", "Key": "ü/1"}
    multipart = s3.create_multipart_upload(**named, ContentType="image/png", Metadata={"a": "b"})["UploadId"]
    part = s3.upload_part(**named, UploadId=multipart, PartNumber=1, Body=b"content")
    etag = s3.complete_multipart_upload(
        **named, UploadId=multipart, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    )["ETag"]
    modified = s3.head_object(**named)["LastModified"]
    for key in ("gone/1", "gone/2"):
        s3.put_object(Bucket="r2-process", Key=key, Body=b"x")
    s3.delete_object(Bucket="r2-process", Key="gone/1")
    s3.delete_objects(Bucket="r2-process", Delete={"Objects": [{"Key": "gone/2"}]}, ChecksumAlgorithm="SHA256")
    assert ended(process) == 0

    process, s3 = started()
    answer = s3.get_object(**named)
    assert answer["Body"].read() == b"content"
    assert (answer["ETag"], answer["ContentType"], answer["Metadata"]) == (etag, "image/png", {"a": "b"})
    assert answer["LastModified"] == modified
    assert [found["Key"] for found in s3.list_objects_v2(Bucket="r2-process")["Contents"]] == ["ü/1"]
    assert ended(process) == 0


def test_settings_that_are_missing_are_named() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("R2_")}
    command = [sys.executable, "-m", "mediafleet_devserver.r2", "--port", "0"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert "R2_BUCKET_NAME" in ended.stderr
