"""Object storage on any S3-compatible server, set up for Cloudflare R2 (which AWS S3 and MinIO understand too)."""

from __future__ import annotations

import asyncio
import binascii
import contextlib
import hashlib
import random
import re
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote, unquote

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.object_keys import CHECK_KEY
from mediafleet_core.ports import Chunks, SignedPut, StoredObject, StoredPart, UnfinishedMultipart, UploadedPart
from mediafleet_core.storage.bodies import CHUNK, crc32c_of, pieces_of
from mediafleet_core.storage.denials import Answer
from mediafleet_core.storage.links import content_disposition, lifetime
from mediafleet_core.storage.s3_client import make_client
from mediafleet_core.storage.s3_copies import Copies
from mediafleet_core.storage.s3_errors import FAILURES, answered, trouble_of
from mediafleet_core.storage.settings import BodyDigest, StorageSettings
from mediafleet_core.storage.signed_puts import SignedPuts
from mediafleet_core.storage.troubles import cannot_sign, corrupt

T = TypeVar("T")

UNTYPED = "application/octet-stream"
ATTEMPTS = 4
"""Calls of one operation before its trouble is raised."""

_PER_CALL = 1_000
_NO_MULTIPART = "absent"
_MD5 = re.compile(r"[0-9a-f]{32}")
_PLAIN = "!\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"


class S3Store:
    """`ObjectStore` in one bucket. boto3 controls, in threads of its own, as many as there are connections.

    The bytes of puts and parts travel on signed URLs, on the event loop.
    """

    def __init__(self, settings: StorageSettings, on_retry: Callable[[], None] = lambda: None) -> None:
        """Connects at the first call; `on_retry` is called before each repeated call."""
        self._bucket = settings.r2_bucket_name
        self._digest = settings.storage_digest
        self._client = make_client(settings)
        self._puts = SignedPuts(settings)
        self._threads = ThreadPoolExecutor(settings.storage_connections, thread_name_prefix="storage")
        self._on_retry = on_retry
        self._copies = Copies(self, self._client, self._call, self._bucket, settings.storage_copy_bytes)

    @property
    def signs_parts(self) -> bool:
        """See `ObjectStore`; only a CRC32C can be bound to a URL before its bytes are seen."""
        return self._digest is BodyDigest.CRC32C

    def require(self) -> None:
        """See `ObjectStore`; always."""

    async def put(
        self, key: str, body: Chunks, *, crc32c: int, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> StoredObject:
        """See `ObjectStore`."""
        content_type = content_type or UNTYPED
        headers = {"content-type": content_type}
        headers |= {f"x-amz-meta-{name}": value for name, value in _encoded(metadata).items()}
        headers |= await self._digest_header(key, body, crc32c)
        etag = await self._repeated(key, lambda: self._puts.send("PutObject", key, body, headers))
        size = sum(memoryview(chunk).nbytes for chunk in body)
        return StoredObject(key, size, etag, content_type, dict(metadata or {}))

    async def put_file(
        self, key: str, path: Path, *, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> StoredObject:
        """See `ObjectStore`; at most 5 GiB."""
        digest = await self._run(self._digest_params, key, path)
        content_type = content_type or UNTYPED
        with path.open("rb") as file:
            answer = await self._call(
                key, self._client.put_object, file, ContentType=content_type, Metadata=_encoded(metadata), **digest
            )
            return StoredObject(key, file.seek(0, 2), _etag(answer), content_type, dict(metadata or {}))

    async def begin_multipart(
        self, key: str, *, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> str:
        """See `ObjectStore`."""
        algorithm: dict[str, Any] = {"ChecksumAlgorithm": "CRC32C"} if self._digest is BodyDigest.CRC32C else {}
        answer = await self._call(
            key,
            self._client.create_multipart_upload,
            ContentType=content_type or UNTYPED,
            Metadata=_encoded(metadata),
            **algorithm,
        )
        return str(answer["UploadId"])

    async def put_part(self, key: str, multipart_id: str, number: int, body: Chunks, *, crc32c: int) -> str:
        """See `ObjectStore`."""
        headers = await self._digest_header(key, body, crc32c)
        query = {"partNumber": str(number), "uploadId": multipart_id}
        return await self._repeated(key, lambda: self._puts.send("UploadPart", key, body, headers, query))

    async def sign_part(
        self, key: str, multipart_id: str, number: int, *, size: int, crc32c: int, expires_in: timedelta
    ) -> SignedPut:
        """See `ObjectStore`; made here, without a call."""
        if not self.signs_parts:
            raise cannot_sign()
        checksum = _base64_of(crc32c)
        url = self._client.generate_presigned_url(
            "upload_part",
            Params={
                "Bucket": self._bucket,
                "Key": key,
                "UploadId": multipart_id,
                "PartNumber": number,
                "ContentLength": size,
                "ChecksumCRC32C": checksum,
            },
            ExpiresIn=lifetime(expires_in),
        )
        return SignedPut(url, {"content-length": str(size), "x-amz-checksum-crc32c": checksum})

    async def list_parts(self, key: str, multipart_id: str) -> AsyncIterator[StoredPart]:
        """See `ObjectStore`."""
        after: dict[str, Any] = {}
        while True:
            page = await self._call(key, self._client.list_parts, UploadId=multipart_id, **after)
            for part in page.get("Parts", ()):
                yield StoredPart(part["PartNumber"], part["Size"], _etag(part), _crc32c(part.get("ChecksumCRC32C")))
            if not page.get("IsTruncated"):
                return
            after = {"PartNumberMarker": page["NextPartNumberMarker"]}

    async def complete_multipart(self, key: str, multipart_id: str, parts: Sequence[UploadedPart]) -> StoredObject:
        """See `ObjectStore`. A Complete whose answer was lost is recognised by the object that it made."""
        named = [self._named(part) for part in parts]
        try:
            answer = await self._call(
                key,
                self._client.complete_multipart_upload,
                done=lambda: self._made_of(key, parts),
                UploadId=multipart_id,
                MultipartUpload={"Parts": named},
            )
        except MediafleetError as error:
            if error.reason is not Reason.ORIGINAL_MISSING:
                raise
            answer = await self._made_of(key, parts)
            if answer is None:
                raise
        if isinstance(answer, StoredObject):
            return answer
        stored = await self.head(key)
        if stored is None or not any(_is_made_of(etag, parts) for etag in (stored.etag, _etag(answer))):
            raise corrupt(key)
        return stored

    async def abort_multipart(self, key: str, multipart_id: str) -> None:
        """See `ObjectStore`."""
        try:
            await self._call(key, self._client.abort_multipart_upload, UploadId=multipart_id)
        except MediafleetError as error:
            if error.reason is not Reason.ORIGINAL_MISSING:
                raise

    async def list_multiparts(self, prefix: str) -> AsyncIterator[UnfinishedMultipart]:
        """See `ObjectStore`."""
        after: dict[str, Any] = {}
        while True:
            page = await self._call("", self._client.list_multipart_uploads, Prefix=prefix, **after)
            for unfinished in page.get("Uploads", ()):
                yield UnfinishedMultipart(unfinished["Key"], unfinished["UploadId"], unfinished["Initiated"])
            if not page.get("IsTruncated"):
                return
            after = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    async def copy(
        self,
        source: StoredObject,
        key: str,
        *,
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
        copied: Callable[[int], None] = lambda size: None,
    ) -> StoredObject:
        """See `ObjectStore`."""
        content_type = content_type or UNTYPED
        about = {"ContentType": content_type, "Metadata": _encoded(metadata)}
        if source.size > self._copies.most:
            return await self._copies.in_parts(source, key, about, copied)
        etag = await self._copies.at_once(source, key, about)
        return StoredObject(key, source.size, etag, content_type, dict(metadata or {}))

    async def head(self, key: str) -> StoredObject | None:
        """See `ObjectStore`."""
        try:
            answer = await self._call(key, self._client.head_object)
        except MediafleetError as error:
            if error.reason is Reason.ORIGINAL_MISSING:
                return None
            raise
        metadata = {name: unquote(value) for name, value in answer["Metadata"].items()}
        return StoredObject(
            key,
            answer["ContentLength"],
            _etag(answer),
            answer.get("ContentType", ""),
            metadata,
            answer["LastModified"],
        )

    async def read(self, key: str) -> AsyncGenerator[bytes, None]:
        """See `ObjectStore`. A connection that breaks is resumed where it broke, if the object is still the same."""
        answer = await self._call(key, self._client.get_object)
        etag, size, offset, breaks = answer["ETag"], answer["ContentLength"], 0, 0
        while True:
            try:
                while chunk := await self._run(answer["Body"].read, CHUNK):
                    offset += len(chunk)
                    yield chunk
                if offset == size:
                    return
                raise corrupt(key)
            except FAILURES as failure:
                trouble, breaks = trouble_of(failure, key), breaks + 1
                if not trouble.retry or breaks == ATTEMPTS:
                    raise trouble.error from failure
                self._on_retry()
            except asyncio.CancelledError:
                _interrupt(answer["Body"])
                raise
            finally:
                answer["Body"].close()
            answer = await self._call(key, self._client.get_object, Range=f"bytes={offset}-", IfMatch=etag)

    async def delete(self, keys: Sequence[str]) -> None:
        """See `ObjectStore`."""
        for start in range(0, len(keys), _PER_CALL):
            named = [{"Key": key} for key in keys[start : start + _PER_CALL]]
            answer = await self._call("", self._client.delete_objects, Delete={"Objects": named, "Quiet": True})
            for left in answer.get("Errors", ()):
                trouble = answered(Answer(left.get("Code", ""), operation="DeleteObjects"), left.get("Key", ""))
                if trouble.error.reason is not Reason.ORIGINAL_MISSING:
                    raise trouble.error

    async def list(self, prefix: str, *, after: str = "") -> AsyncIterator[StoredObject]:
        """See `ObjectStore`; without content types and metadata, which S3 does not list."""
        going_on: dict[str, Any] = {"StartAfter": after} if after else {}
        while True:
            page = await self._call("", self._client.list_objects_v2, Prefix=prefix, **going_on)
            for found in page.get("Contents", ()):
                yield StoredObject(found["Key"], found["Size"], _etag(found), modified=found["LastModified"])
            if not page.get("IsTruncated"):
                return
            going_on = {"ContinuationToken": page["NextContinuationToken"]}

    async def sign_url(
        self, key: str, expires_in: timedelta, *, file_name: str, content_type: str = "", as_attachment: bool = False
    ) -> str:
        """See `ObjectStore`; made here, without a call."""
        answer = {"ResponseContentDisposition": content_disposition(file_name, as_attachment=as_attachment)}
        if content_type:
            answer["ResponseContentType"] = content_type
        return self._client.generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": key, **answer}, ExpiresIn=lifetime(expires_in)
        )

    async def check(self) -> None:
        """See `ObjectStore`. Asks for a key that nobody writes: only its absence proves bucket and rights.

        The right to write shows in the abort of a multipart that nobody began: it is free, and changes nothing.
        """
        try:
            answer = await self._call(CHECK_KEY, self._client.get_object)
            answer["Body"].close()
        except MediafleetError as error:
            if error.reason is not Reason.ORIGINAL_MISSING:
                raise
        try:
            await self.abort_multipart(CHECK_KEY, _NO_MULTIPART)
        except MediafleetError as error:
            if error.reason is not Reason.INTERNAL:  # a server may find fault with the id, but not before it let us in
                raise

    async def close(self) -> None:
        """See `ObjectStore`."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self._puts.close()
        self._client.close()

    async def _digest_header(self, key: str, body: Chunks, crc32c: int) -> dict[str, str]:
        if self._digest is BodyDigest.CRC32C:
            return {"x-amz-checksum-crc32c": _base64_of(crc32c)}
        return {"content-md5": await self._run(_md5_of, key, body, crc32c)}

    async def _run(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args, **kwargs))

    async def _call(
        self,
        key: str,
        method: Callable[..., Any],
        body: BinaryIO | None = None,
        *,
        done: Callable[[], Awaitable[Any]] | None = None,
        **params: Any,
    ) -> Any:
        """One operation of boto3, as `_repeated`."""
        params["Bucket"] = self._bucket
        if key:
            params["Key"] = key
        if body is not None:
            params["Body"] = body

        async def call() -> Any:
            if body is not None:
                body.seek(0)
            return await self._run(method, **params)

        return await self._repeated(key, call, done)

    async def _repeated(
        self, key: str, call: Callable[[], Awaitable[T]], done: Callable[[], Awaitable[T | None]] | None = None
    ) -> T:
        """Call until it succeeds or another try cannot help; raises `MediafleetError` only.

        `done` looks, before a call is repeated, whether it was done after all, and gives the answer that was lost.
        """
        attempt = 1
        while True:
            try:
                return await call()
            except FAILURES as failure:
                trouble = trouble_of(failure, key)
                if not trouble.retry or attempt == ATTEMPTS:
                    raise trouble.error from failure
            self._on_retry()
            # R2 takes one write a second to one key: less than a second of patience would only fail again.
            shortest = 1.0 if trouble.throttled else 0.1
            await asyncio.sleep(shortest * 2 ** (attempt - 1) * random.uniform(1.0, 2.0))
            if done is not None and (answer := await done()) is not None:
                return answer
            attempt += 1

    async def _made_of(self, key: str, parts: Sequence[UploadedPart]) -> StoredObject | None:
        """The object, if it stands and is made of these parts."""
        stored = await self.head(key)
        return stored if stored and _is_made_of(stored.etag, parts) else None

    def _digest_params(self, key: str, path: Path) -> dict[str, Any]:
        crc32c = crc32c_of(pieces_of(path))
        if self._digest is BodyDigest.CRC32C:
            return {"ChecksumCRC32C": _base64_of(crc32c)}
        return {"ContentMD5": _md5_of(key, pieces_of(path), crc32c)}

    def _named(self, part: UploadedPart) -> dict[str, Any]:
        named = {"PartNumber": part.number, "ETag": f'"{part.etag}"'}
        return named | ({"ChecksumCRC32C": _base64_of(part.crc32c)} if self._digest is BodyDigest.CRC32C else {})


def _md5_of(key: str, body: Iterable[bytes | memoryview], crc32c: int) -> str:
    """As Content-MD5 wants it. Raises STORED_OBJECT_CORRUPT unless `crc32c` is of the same bytes."""
    md5, found = hashlib.md5(usedforsecurity=False), 0
    for piece in body:
        md5.update(piece)
        found = crc32c_of([piece], found)
    if found != crc32c:
        raise corrupt(key)
    return b64encode(md5.digest()).decode()


def _interrupt(body: Any) -> None:
    """End a read that is under way in its thread: `close` would hold up the event loop until the storage speaks."""
    with contextlib.suppress(RuntimeError):  # all was read, and the connection is another's by now
        body._raw_stream.shutdown()


def _etag(answer: Mapping[str, Any]) -> str:
    return str(answer["ETag"]).strip('"')


def _is_made_of(etag: str, parts: Sequence[UploadedPart]) -> bool:
    """Whether this is the ETag of a multipart of these parts: the MD5 of their MD5s, and their count."""
    if all(_MD5.fullmatch(part.etag) for part in parts):
        joined = b"".join(binascii.unhexlify(part.etag) for part in parts)
        return etag == f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(parts)}"
    return etag.endswith(f"-{len(parts)}")


def _base64_of(crc32c: int) -> str:
    return b64encode(crc32c.to_bytes(4, "big")).decode()


def _crc32c(checksum: str | None) -> int | None:
    return int.from_bytes(b64decode(checksum), "big") if checksum else None


def _encoded(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """S3's metadata are headers: ASCII, blanks at the ends lost. Read back by `head`."""
    return {name.lower(): quote(value, safe=_PLAIN) for name, value in (metadata or {}).items()}
