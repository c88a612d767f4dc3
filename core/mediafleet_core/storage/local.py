"""Object storage in a folder.

    objects/KEY          an object: its bytes, then a trailer with what is known of it, so that one rename commits both
    multiparts/ID/       an unfinished multipart: about.json and one file per part, named by its number and CRC32C
    tmp/                 what is being written
    imports/TENANT/      plain files that people put there, to be imported; they are only read

A file gets its name only after it and the trailer are on disk. No key may be another key's folder (`a` and `a/b`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import time
from typing import BinaryIO, ParamSpec, TypeVar

from mediafleet_core.errors import invalid_field
from mediafleet_core.object_keys import IMPORTS
from mediafleet_core.ports import Chunks, SignedPut, StoredObject, StoredPart, UnfinishedMultipart, UploadedPart
from mediafleet_core.storage.bodies import CHUNK, pieces_of
from mediafleet_core.storage.links import Link, LinkSigner, lifetime
from mediafleet_core.storage.local_multiparts import LocalMultiparts
from mediafleet_core.storage.local_objects import LocalObjects, about
from mediafleet_core.storage.plain_files import PlainFiles
from mediafleet_core.storage.troubles import cannot_sign, denied, unavailable
from mediafleet_core.storage.whole_files import WholeFiles, pour

P = ParamSpec("P")
T = TypeVar("T")


class LocalStore:
    """`ObjectStore` in a folder; processes on one machine may share it."""

    signs_parts = False

    def __init__(self, root: Path, signer: LinkSigner, *, threads: int = 16) -> None:
        """Makes the folder if needed and removes what a crash left half written a day ago or earlier."""
        files = WholeFiles(root / "tmp")
        self._objects = LocalObjects(root / "objects", files, PlainFiles(root / "imports", IMPORTS))
        self._multiparts = LocalMultiparts(root / "multiparts", files, self._objects)
        self._signer = signer
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="storage")

    async def put(
        self, key: str, body: Chunks, *, crc32c: int, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> StoredObject:
        """See `ObjectStore`."""
        known = about(key, content_type, metadata)
        return await self._run(self._objects.store, known, lambda file: _etag(file, pour(file, key, body, crc32c)))

    async def put_file(
        self, key: str, path: Path, *, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> StoredObject:
        """See `ObjectStore`."""
        known = about(key, content_type, metadata)
        return await self._run(self._objects.store, known, lambda file: _etag(file, pour(file, key, pieces_of(path))))

    async def begin_multipart(
        self, key: str, *, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> str:
        """See `ObjectStore`."""
        return await self._run(self._multiparts.begin, about(key, content_type, metadata))

    async def put_part(self, key: str, multipart_id: str, number: int, body: Chunks, *, crc32c: int) -> str:
        """See `ObjectStore`."""
        if not 1 <= number <= 10_000:
            raise invalid_field("number", "1 to 10,000")
        return await self._run(self._multiparts.put, key, multipart_id, number, body, crc32c)

    async def sign_part(
        self, key: str, multipart_id: str, number: int, *, size: int, crc32c: int, expires_in: timedelta
    ) -> SignedPut:
        """See `ObjectStore`; the file server only reads."""
        raise cannot_sign()

    async def list_parts(self, key: str, multipart_id: str) -> AsyncIterator[StoredPart]:
        """See `ObjectStore`."""
        for part in await self._run(self._multiparts.parts, key, multipart_id):
            yield part

    async def complete_multipart(self, key: str, multipart_id: str, parts: Sequence[UploadedPart]) -> StoredObject:
        """See `ObjectStore`."""
        return await self._run(self._multiparts.complete, key, multipart_id, parts)

    async def abort_multipart(self, key: str, multipart_id: str) -> None:
        """See `ObjectStore`."""
        await self._run(self._multiparts.abort, multipart_id)

    async def list_multiparts(self, prefix: str) -> AsyncIterator[UnfinishedMultipart]:
        """See `ObjectStore`."""
        for found in await self._run(self._multiparts.list, prefix):
            yield found

    async def copy(
        self,
        source: StoredObject,
        key: str,
        *,
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
        copied: Callable[[int], None] = lambda size: None,
    ) -> StoredObject:
        """See `ObjectStore`; one step within the kernel, where a file system may only share the blocks."""
        return await self._run(self._objects.copy, source, about(key, content_type, metadata))

    async def head(self, key: str) -> StoredObject | None:
        """See `ObjectStore`."""
        return await self._run(self._objects.head, key)

    async def read(self, key: str) -> AsyncGenerator[bytes, None]:
        """See `ObjectStore`."""
        opening = asyncio.ensure_future(self._run(self.open, key))
        try:
            file, stored = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_opened)  # its thread cannot be stopped
            raise
        with file:
            left = stored.size
            while left and (chunk := await self._run(file.read, min(CHUNK, left))):
                left -= len(chunk)
                yield chunk

    async def delete(self, keys: Sequence[str]) -> None:
        """See `ObjectStore`."""
        await self._run(self._objects.delete, keys)

    async def list(self, prefix: str, *, after: str = "") -> AsyncIterator[StoredObject]:
        """See `ObjectStore`; without content types and metadata, as with S3."""
        objects = await self._run(self._objects.list, prefix, after)
        while stored := await self._run(next, objects, None):
            yield stored

    async def sign_url(
        self, key: str, expires_in: timedelta, *, file_name: str, content_type: str = "", as_attachment: bool = False
    ) -> str:
        """See `ObjectStore`; served by `mediafleet_core.storage.local_http`."""
        self._objects.path(key)
        return self._signer.url(Link(key, int(time()) + lifetime(expires_in), file_name, content_type, as_attachment))

    def require(self) -> None:
        """See `ObjectStore`; always."""

    async def check(self) -> None:
        """See `ObjectStore`."""
        if not await self._run(os.access, self._objects.folder, os.R_OK | os.W_OK | os.X_OK):
            raise denied("the storage folder cannot be written")

    async def close(self) -> None:
        """See `ObjectStore`."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def open(self, key: str) -> tuple[BinaryIO, StoredObject]:
        """The object, its file placed at the first of its `size` bytes. Blocks; the file is the caller's to close."""
        return self._objects.open(key)

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args, **kwargs))
        except PermissionError as error:
            raise denied("the storage folder cannot be used") from error
        except OSError as error:
            raise unavailable("server_error", "the storage folder cannot be used") from error


def _etag(file: BinaryIO, crc32c: int) -> str:
    return f"{crc32c:08x}-{file.tell():x}"


def _close_opened(opening: asyncio.Future[tuple[BinaryIO, StoredObject]]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[0].close()
