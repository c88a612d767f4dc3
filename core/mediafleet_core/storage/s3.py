"""Object storage on any S3-compatible server, set up for Cloudflare R2 (which AWS S3 and MinIO understand too)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.object_keys import CHECK_KEY
from mediafleet_core.ports import Chunks, SignedPut, StoredObject, StoredPart, UnfinishedMultipart, UploadedPart
from mediafleet_core.storage.bodies import CHUNK, UNTYPED
from mediafleet_core.storage.denials import Answer
from mediafleet_core.storage.links import content_disposition, lifetime
from mediafleet_core.storage.s3_calls import ATTEMPTS, Calls, etag_in
from mediafleet_core.storage.s3_copies import Copies
from mediafleet_core.storage.s3_digests import Digests
from mediafleet_core.storage.s3_errors import FAILURES, answered, trouble_of
from mediafleet_core.storage.s3_multiparts import Multiparts
from mediafleet_core.storage.settings import StorageSettings
from mediafleet_core.storage.signed_puts import SignedPuts
from mediafleet_core.storage.troubles import corrupt

_PER_CALL = 1_000
_NO_MULTIPART = "absent"
_PLAIN = "!\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"


class S3Store:
    """`ObjectStore` in one bucket. boto3 controls, in threads of its own, as many as there are connections.

    The bytes of puts and parts travel on signed URLs, on the event loop.
    """

    def __init__(self, settings: StorageSettings, on_retry: Callable[[], None] = lambda: None) -> None:
        """Connects at the first call; `on_retry` is called before each repeated call."""
        self._calls = Calls(settings, on_retry)
        self._client = self._calls.client
        self._puts = SignedPuts(settings)
        self._digests = Digests(settings.storage_digest, self._calls)
        self._multiparts = Multiparts(self._calls, self._puts, self._digests, self.head)
        self._copies = Copies(self._calls, self._multiparts, self.head, settings.storage_copy_bytes)

    @property
    def signs_parts(self) -> bool:
        """See `ObjectStore`; only a CRC32C can be bound to a URL before its bytes are seen."""
        return self._digests.known_before

    def require(self) -> None:
        """See `ObjectStore`; always."""

    async def put(
        self, key: str, body: Chunks, *, crc32c: int, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> StoredObject:
        """See `ObjectStore`."""
        content_type = content_type or UNTYPED
        headers = {"content-type": content_type}
        headers |= {f"x-amz-meta-{name}": value for name, value in _encoded(metadata).items()}
        headers |= await self._digests.header(key, body, crc32c)
        etag = await self._calls.repeated(key, lambda: self._puts.send("PutObject", key, body, headers))
        size = sum(memoryview(chunk).nbytes for chunk in body)
        return StoredObject(key, size, etag, content_type, dict(metadata or {}))

    async def put_file(
        self, key: str, path: Path, *, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> StoredObject:
        """See `ObjectStore`; at most 5 GiB."""
        digest = await self._digests.of_file(key, path)
        about = _about(content_type, metadata)
        with path.open("rb") as file:
            answer = await self._calls.call(key, self._client.put_object, file, **about, **digest)
            return StoredObject(key, file.seek(0, 2), etag_in(answer), about["ContentType"], dict(metadata or {}))

    async def begin_multipart(
        self, key: str, *, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> str:
        """See `ObjectStore`."""
        return await self._multiparts.begin(key, _about(content_type, metadata))

    async def put_part(self, key: str, multipart_id: str, number: int, body: Chunks, *, crc32c: int) -> str:
        """See `ObjectStore`."""
        return await self._multiparts.put(key, multipart_id, number, body, crc32c)

    async def sign_part(
        self, key: str, multipart_id: str, number: int, *, size: int, crc32c: int, expires_in: timedelta
    ) -> SignedPut:
        """See `ObjectStore`; made here, without a call."""
        return self._multiparts.sign(key, multipart_id, number, size=size, crc32c=crc32c, expires_in=expires_in)

    def list_parts(self, key: str, multipart_id: str) -> AsyncIterator[StoredPart]:
        """See `ObjectStore`."""
        return self._multiparts.parts(key, multipart_id)

    async def complete_multipart(self, key: str, multipart_id: str, parts: Sequence[UploadedPart]) -> StoredObject:
        """See `ObjectStore`."""
        return await self._multiparts.complete(key, multipart_id, parts)

    async def abort_multipart(self, key: str, multipart_id: str) -> None:
        """See `ObjectStore`."""
        await self._multiparts.abort(key, multipart_id)

    def list_multiparts(self, prefix: str) -> AsyncIterator[UnfinishedMultipart]:
        """See `ObjectStore`."""
        return self._multiparts.list(prefix)

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
        about = _about(content_type, metadata)
        if source.size > self._copies.most:
            return await self._copies.in_parts(source, key, about, copied)
        etag = await self._copies.at_once(source, key, about)
        return StoredObject(key, source.size, etag, about["ContentType"], dict(metadata or {}))

    async def head(self, key: str) -> StoredObject | None:
        """See `ObjectStore`."""
        try:
            answer = await self._calls.call(key, self._client.head_object)
        except MediafleetError as error:
            if error.reason is Reason.ORIGINAL_MISSING:
                return None
            raise
        metadata = {name: unquote(value) for name, value in answer["Metadata"].items()}
        return StoredObject(
            key,
            answer["ContentLength"],
            etag_in(answer),
            answer.get("ContentType", ""),
            metadata,
            answer["LastModified"],
        )

    async def read(self, key: str) -> AsyncGenerator[bytes, None]:
        """See `ObjectStore`. A connection that breaks is resumed where it broke, if the object is still the same."""
        answer = await self._calls.call(key, self._client.get_object)
        etag, size, offset, breaks = answer["ETag"], answer["ContentLength"], 0, 0
        while True:
            try:
                while chunk := await self._calls.run(answer["Body"].read, CHUNK):
                    offset += len(chunk)
                    yield chunk
                if offset == size:
                    return
                raise corrupt(key)
            except FAILURES as failure:
                trouble, breaks = trouble_of(failure, key), breaks + 1
                if not trouble.retry or breaks == ATTEMPTS:
                    raise trouble.error from failure
                self._calls.on_retry()
            except asyncio.CancelledError:
                _interrupt(answer["Body"])
                raise
            finally:
                answer["Body"].close()
            answer = await self._calls.call(key, self._client.get_object, Range=f"bytes={offset}-", IfMatch=etag)

    async def delete(self, keys: Sequence[str]) -> None:
        """See `ObjectStore`."""
        for start in range(0, len(keys), _PER_CALL):
            named = [{"Key": key} for key in keys[start : start + _PER_CALL]]
            answer = await self._calls.call("", self._client.delete_objects, Delete={"Objects": named, "Quiet": True})
            for left in answer.get("Errors", ()):
                trouble = answered(Answer(left.get("Code", ""), operation="DeleteObjects"), left.get("Key", ""))
                if trouble.error.reason is not Reason.ORIGINAL_MISSING:
                    raise trouble.error

    async def list(self, prefix: str, *, after: str = "") -> AsyncIterator[StoredObject]:
        """See `ObjectStore`; without content types and metadata, which S3 does not list."""
        going_on: dict[str, Any] = {"StartAfter": after} if after else {}
        while True:
            page = await self._calls.call("", self._client.list_objects_v2, Prefix=prefix, **going_on)
            for found in page.get("Contents", ()):
                yield StoredObject(found["Key"], found["Size"], etag_in(found), modified=found["LastModified"])
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
            "get_object", Params={"Bucket": self._calls.bucket, "Key": key, **answer}, ExpiresIn=lifetime(expires_in)
        )

    async def check(self) -> None:
        """See `ObjectStore`. Asks for a key that nobody writes: only its absence proves bucket and rights.

        The right to write shows in the abort of a multipart that nobody began: it is free, and changes nothing.
        """
        try:
            answer = await self._calls.call(CHECK_KEY, self._client.get_object)
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
        self._calls.close()
        await self._puts.close()


def _interrupt(body: Any) -> None:
    """End a read that is under way in its thread: `close` would hold up the event loop until the storage speaks."""
    with contextlib.suppress(RuntimeError):  # all was read, and the connection is another's by now
        body._raw_stream.shutdown()


def _about(content_type: str, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    return {"ContentType": content_type or UNTYPED, "Metadata": _encoded(metadata)}


def _encoded(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """S3's metadata are headers: ASCII, blanks at the ends lost. Read back by `head`."""
    return {name.lower(): quote(value, safe=_PLAIN) for name, value in (metadata or {}).items()}
