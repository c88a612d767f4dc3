"""Multiparts of S3."""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.ports import Chunks, SignedPut, StoredObject, StoredPart, UnfinishedMultipart, UploadedPart
from mediafleet_core.storage.links import lifetime
from mediafleet_core.storage.s3_calls import Calls, etag_in
from mediafleet_core.storage.s3_digests import Digests, base64_of, crc32c_in
from mediafleet_core.storage.signed_puts import SignedPuts
from mediafleet_core.storage.troubles import cannot_sign, corrupt

_MD5 = re.compile(r"[0-9a-f]{32}")


class Multiparts:
    """See `ObjectStore`."""

    def __init__(
        self, calls: Calls, puts: SignedPuts, digests: Digests, head: Callable[[str], Awaitable[StoredObject | None]]
    ) -> None:
        """The bytes of parts travel by `puts`; `head` tells of an object that was made."""
        self._calls, self._client = calls, calls.client
        self._puts, self._digests, self._head = puts, digests, head

    async def begin(self, key: str, about: Mapping[str, Any]) -> str:
        """`about` is the type and metadata of the object."""
        answer = await self._calls.call(key, self._client.create_multipart_upload, **about, **self._digests.of_parts)
        return str(answer["UploadId"])

    async def put(self, key: str, multipart_id: str, number: int, body: Chunks, crc32c: int) -> str:
        """The ETag of a part."""
        headers = await self._digests.header(key, body, crc32c)
        query = {"partNumber": str(number), "uploadId": multipart_id}
        return await self._calls.repeated(key, lambda: self._puts.send("UploadPart", key, body, headers, query))

    def sign(
        self, key: str, multipart_id: str, number: int, *, size: int, crc32c: int, expires_in: timedelta
    ) -> SignedPut:
        """Made here, without a call."""
        if not self._digests.known_before:
            raise cannot_sign()
        checksum = base64_of(crc32c)
        url = self._client.generate_presigned_url(
            "upload_part",
            Params={
                "Bucket": self._calls.bucket,
                "Key": key,
                "UploadId": multipart_id,
                "PartNumber": number,
                "ContentLength": size,
                "ChecksumCRC32C": checksum,
            },
            ExpiresIn=lifetime(expires_in),
        )
        return SignedPut(url, {"content-length": str(size), "x-amz-checksum-crc32c": checksum})

    async def parts(self, key: str, multipart_id: str) -> AsyncIterator[StoredPart]:
        """Those that are stored, page by page."""
        after: dict[str, Any] = {}
        while True:
            page = await self._calls.call(key, self._client.list_parts, UploadId=multipart_id, **after)
            for part in page.get("Parts", ()):
                checksum = crc32c_in(part.get("ChecksumCRC32C"))
                yield StoredPart(part["PartNumber"], part["Size"], etag_in(part), checksum)
            if not page.get("IsTruncated"):
                return
            after = {"PartNumberMarker": page["NextPartNumberMarker"]}

    async def complete(self, key: str, multipart_id: str, parts: Sequence[UploadedPart]) -> StoredObject:
        """A Complete whose answer was lost is recognised by the object that it made."""
        named = [{"PartNumber": part.number, "ETag": f'"{part.etag}"', **self._digests.of_part(part)} for part in parts]
        try:
            answer = await self._calls.call(
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
        stored = await self._head(key)
        if stored is None or not any(_is_made_of(etag, parts) for etag in (stored.etag, etag_in(answer))):
            raise corrupt(key)
        return stored

    async def abort(self, key: str, multipart_id: str) -> None:
        """Quietly where it is gone."""
        try:
            await self._calls.call(key, self._client.abort_multipart_upload, UploadId=multipart_id)
        except MediafleetError as error:
            if error.reason is not Reason.ORIGINAL_MISSING:
                raise

    async def list(self, prefix: str) -> AsyncIterator[UnfinishedMultipart]:
        """Those that are unfinished, page by page."""
        after: dict[str, Any] = {}
        while True:
            page = await self._calls.call("", self._client.list_multipart_uploads, Prefix=prefix, **after)
            for unfinished in page.get("Uploads", ()):
                yield UnfinishedMultipart(unfinished["Key"], unfinished["UploadId"], unfinished["Initiated"])
            if not page.get("IsTruncated"):
                return
            after = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    async def _made_of(self, key: str, parts: Sequence[UploadedPart]) -> StoredObject | None:
        """The object, if it stands and is made of these parts."""
        stored = await self._head(key)
        return stored if stored and _is_made_of(stored.etag, parts) else None


def _is_made_of(etag: str, parts: Sequence[UploadedPart]) -> bool:
    """Whether this is the ETag of a multipart of these parts: the MD5 of their MD5s, and their count."""
    if all(_MD5.fullmatch(part.etag) for part in parts):
        joined = b"".join(binascii.unhexlify(part.etag) for part in parts)
        return etag == f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(parts)}"
    return etag.endswith(f"-{len(parts)}")
