"""Bytes by key."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

Chunks: TypeAlias = Sequence[bytes | memoryview]
"""A body in pieces that need no joining."""


class StoredObject(NamedTuple):
    """One object in the bucket: size in bytes, and what its store keeps of type and metadata."""

    key: str
    size: int
    etag: str
    content_type: str = ""
    metadata: Mapping[str, str] = {}
    modified: datetime | None = None


class UploadedPart(NamedTuple):
    """What Complete needs of a part; S3 asks again for the checksum of each part that had one."""

    number: int
    etag: str
    crc32c: int


class StoredPart(NamedTuple):
    """A part as the store has it: size in bytes, and the CRC32C if the store tells."""

    number: int
    size: int
    etag: str
    crc32c: int | None = None


class SignedPut(NamedTuple):
    """One HTTP PUT that anyone may send: its URL, and the headers that must come with it, by name in lower case."""

    url: str
    headers: Mapping[str, str]


class UnfinishedMultipart(NamedTuple):
    """A multipart that was neither completed nor aborted, and when it was begun."""

    key: str
    multipart_id: str
    begun: datetime


class ObjectStore(Protocol):
    """Bytes by key. Every write is whole or absent; a key is never half written.

    `ProcessingError`s are not raised here; failures are `MediafleetError` with STORAGE_UNAVAILABLE (try again; also
    throttling, with `metadata["cause"] = "throttled"`), STORAGE_DENIED, STORAGE_DISABLED, or STORED_OBJECT_CORRUPT for
    a broken digest.
    """

    @property
    def signs_parts(self) -> bool:
        """Whether `sign_part` works here."""

    def require(self) -> None:
        """Raise if nothing can ever be stored here, by configuration; asks no server."""

    async def put(
        self, key: str, body: Chunks, *, crc32c: int, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> StoredObject:
        """Store the joined chunks under `key`, checked against their CRC32C; replaces what was there."""

    async def put_file(
        self, key: str, path: Path, *, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> StoredObject:
        """Store a file's content under `key`."""

    async def begin_multipart(
        self, key: str, *, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> str:
        """Start an object that comes in parts; returns the store's id for it."""

    async def put_part(self, key: str, multipart_id: str, number: int, body: Chunks, *, crc32c: int) -> str:
        """Store part `number` (1 to 10,000); returns its ETag. Raises ORIGINAL_MISSING when the multipart is gone."""

    async def sign_part(
        self, key: str, multipart_id: str, number: int, *, size: int, crc32c: int, expires_in: timedelta
    ) -> SignedPut:
        """What stores part `number` without credentials until it expires; the store takes these bytes and no others.

        Raises DIRECT_UNAVAILABLE where the store cannot sign.
        """

    def list_parts(self, key: str, multipart_id: str) -> AsyncIterator[StoredPart]:
        """The parts stored so far, by rising number. Raises ORIGINAL_MISSING when the multipart is gone."""

    async def complete_multipart(self, key: str, multipart_id: str, parts: Sequence[UploadedPart]) -> StoredObject:
        """Make the object of the named parts, in order of their numbers; repeated, it answers the same again.

        Raises ORIGINAL_MISSING when the multipart is gone and its object is not there, PART_MISMATCH when a part is
        not stored as named.
        """

    async def abort_multipart(self, key: str, multipart_id: str) -> None:
        """Drop the parts; quietly when the multipart is gone."""

    def list_multiparts(self, prefix: str) -> AsyncIterator[UnfinishedMultipart]:
        """Every unfinished multipart below `prefix`."""

    async def copy(
        self,
        source: StoredObject,
        key: str,
        *,
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
        copied: Callable[[int], None] = lambda size: None,
    ) -> StoredObject:
        """Store the content of another object under `key` too, without moving it through this process.

        `source` is as it was told; `copied` hears how many bytes are there so far where that takes several steps,
        at first 0.
        Raises ORIGINAL_MISSING when the source is gone, SOURCE_CHANGED when it has another ETag by now.
        """

    async def head(self, key: str) -> StoredObject | None:
        """What is stored under `key`, or None."""

    def read(self, key: str) -> AsyncGenerator[bytes, None]:
        """The content in chunks of at most 1 MiB. Raises ORIGINAL_MISSING when there is none."""

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; those that do not exist are no error."""

    def list(self, prefix: str, *, after: str = "") -> AsyncIterator[StoredObject]:
        """Every object below `prefix`, in key order; only those behind the key `after`, if it is given."""

    async def sign_url(
        self, key: str, expires_in: timedelta, *, file_name: str, content_type: str = "", as_attachment: bool = False
    ) -> str:
        """A URL that anyone may GET (with range requests) until it expires, served under `file_name`."""

    async def check(self) -> None:
        """Raise if the bucket cannot be read or written, saying why; changes nothing, needs rights on objects only."""

    async def close(self) -> None:
        """Release connections."""
