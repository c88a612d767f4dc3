"""Copies within the bucket: in one call, or in equal parts where an object is too large for that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mediafleet_core.parts import direct_part, direct_part_size
from mediafleet_core.ports import StoredObject
from mediafleet_core.storage.s3_calls import Calls, etag_in
from mediafleet_core.storage.s3_multiparts import Multiparts
from mediafleet_core.storage.troubles import changed, corrupt


class Copies:
    """CopyObject and UploadPartCopy; the bytes move within the storage."""

    def __init__(
        self, calls: Calls, multiparts: Multiparts, head: Callable[[str], Awaitable[StoredObject | None]], most: int
    ) -> None:
        """`multiparts` aborts one; `head` tells of an object; `most` bytes are copied by one call."""
        self.most = most
        self._calls, self._client = calls, calls.client
        self._multiparts, self._head = multiparts, head

    async def at_once(self, source: StoredObject, key: str, about: Mapping[str, Any]) -> str:
        """The ETag of the copy; `about` is its type and metadata."""
        answer = await self._calls.call(
            key, self._client.copy_object, MetadataDirective="REPLACE", **self._source(source), **about
        )
        return etag_in(answer["CopyObjectResult"])

    async def in_parts(
        self, source: StoredObject, key: str, about: Mapping[str, Any], copied: Callable[[int], None]
    ) -> StoredObject:
        """The copy, made of equal parts; nothing stays where that fails."""
        copied(0)
        multipart_id = str((await self._calls.call(key, self._client.create_multipart_upload, **about))["UploadId"])
        try:
            parts = await self._parts(source, key, multipart_id, copied)
            # Not every server heeds the condition on parts.
            now = await self._head(source.key)
            if now is None or now.etag != source.etag:
                raise changed(source.key)
            await self._calls.call(
                key,
                self._client.complete_multipart_upload,
                done=lambda: self._head(key),
                UploadId=multipart_id,
                MultipartUpload={"Parts": parts},
            )
        except BaseException:
            await self._multiparts.abort(key, multipart_id)
            raise
        stored = await self._head(key)
        if stored is None or stored.size != source.size:
            raise corrupt(key)
        return stored

    async def _parts(
        self, source: StoredObject, key: str, multipart_id: str, copied: Callable[[int], None]
    ) -> list[dict[str, Any]]:
        part_size, parts, done = direct_part_size(source.size, self.most), list[dict[str, Any]](), 0
        while done < source.size:
            number = len(parts) + 1
            size = direct_part(source.size, part_size, number)
            answer = await self._calls.call(
                key,
                self._client.upload_part_copy,
                UploadId=multipart_id,
                PartNumber=number,
                CopySourceRange=f"bytes={done}-{done + size - 1}",
                **self._source(source),
            )
            parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
            done += size
            copied(done)
        return parts

    def _source(self, source: StoredObject) -> dict[str, Any]:
        return {
            "CopySource": {"Bucket": self._calls.bucket, "Key": source.key},
            "CopySourceIfMatch": f'"{source.etag}"',
        }
