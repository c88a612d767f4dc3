"""Object storage in a folder.

    objects/KEY          an object: its bytes, then a trailer with what is known of it, so that one rename commits both
    multiparts/ID/       an unfinished multipart: about.json and one file per part, named by its number and CRC32C
    tmp/                 what is being written
    imports/TENANT/      plain files that people put there, to be imported; they are only read

A file gets its name only after it and the trailer are on disk. No key may be another key's folder (`a` and `a/b`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import struct
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from time import time
from typing import BinaryIO, ParamSpec, TypeVar

import msgspec

from mediafleet_core.errors import MediafleetError, Reason, invalid_field
from mediafleet_core.object_keys import IMPORTS
from mediafleet_core.ports import Chunks, SignedPut, StoredObject, StoredPart, UnfinishedMultipart, UploadedPart
from mediafleet_core.storage.bodies import CHUNK, crc32c_of, pieces_of
from mediafleet_core.storage.folders import keys_below
from mediafleet_core.storage.links import Link, LinkSigner, lifetime
from mediafleet_core.storage.plain_files import PlainFiles, described
from mediafleet_core.storage.troubles import (
    cannot_sign,
    changed,
    corrupt,
    denied,
    missing,
    parts_differ,
    refused,
    unavailable,
)

P = ParamSpec("P")
T = TypeVar("T")

UNTYPED = "application/octet-stream"
_COMPONENT = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._=+@-]{1,200}"
_KEY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_KEY_RULE = "names of A-Z a-z 0-9 . _ - = + @ joined by single slashes, none of them . or .., not below imports/"
_MULTIPART_ID = re.compile(r"[0-9a-f]{32}")
_END = struct.Struct(">I8s")
_MAGIC = b"mfobject"
_STALE = 24 * 3600.0


class _About(msgspec.Struct, frozen=True):
    """What the trailer of an object, or `about.json` of a multipart, knows."""

    key: str
    content_type: str
    metadata: dict[str, str]
    etag: str = ""


class LocalStore:
    """`ObjectStore` in a folder; processes on one machine may share it."""

    signs_parts = False

    def __init__(self, root: Path, signer: LinkSigner, *, threads: int = 16) -> None:
        """Makes the folder if needed and removes what a crash left half written a day ago or earlier."""
        self._objects, self._multiparts, self._temporary = root / "objects", root / "multiparts", root / "tmp"
        for folder in (self._objects, self._multiparts, self._temporary):
            folder.mkdir(parents=True, exist_ok=True)
        for left in self._temporary.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another process was done with it
                if left.stat().st_mtime < time() - _STALE:
                    left.unlink()
        self._imports = PlainFiles(root / "imports", IMPORTS)
        self._signer = signer
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="storage")

    async def put(
        self, key: str, body: Chunks, *, crc32c: int, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> StoredObject:
        """See `ObjectStore`."""
        about = _about(key, content_type, metadata)
        return await self._run(self._store, about, lambda file: _etag(file, _poured(file, key, body, crc32c)))

    async def put_file(
        self, key: str, path: Path, *, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> StoredObject:
        """See `ObjectStore`."""
        about = _about(key, content_type, metadata)
        return await self._run(self._store, about, lambda file: _etag(file, _poured(file, key, pieces_of(path))))

    async def begin_multipart(
        self, key: str, *, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> str:
        """See `ObjectStore`."""
        return await self._run(self._begin, _about(key, content_type, metadata))

    async def put_part(self, key: str, multipart_id: str, number: int, body: Chunks, *, crc32c: int) -> str:
        """See `ObjectStore`."""
        if not 1 <= number <= 10_000:
            raise invalid_field("number", "1 to 10,000")
        return await self._run(self._store_part, key, multipart_id, number, body, crc32c)

    async def sign_part(
        self, key: str, multipart_id: str, number: int, *, size: int, crc32c: int, expires_in: timedelta
    ) -> SignedPut:
        """See `ObjectStore`; the file server only reads."""
        raise cannot_sign()

    async def list_parts(self, key: str, multipart_id: str) -> AsyncIterator[StoredPart]:
        """See `ObjectStore`."""
        for part in await self._run(self._stored_parts, key, multipart_id):
            yield part

    async def complete_multipart(self, key: str, multipart_id: str, parts: Sequence[UploadedPart]) -> StoredObject:
        """See `ObjectStore`."""
        return await self._run(self._complete, key, multipart_id, parts)

    async def abort_multipart(self, key: str, multipart_id: str) -> None:
        """See `ObjectStore`."""
        folder = self._multipart(multipart_id)
        await self._run(shutil.rmtree, folder, ignore_errors=True)

    async def list_multiparts(self, prefix: str) -> AsyncIterator[UnfinishedMultipart]:
        """See `ObjectStore`."""
        for found in await self._run(self._unfinished, prefix):
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
        return await self._run(self._copied, source, _about(key, content_type, metadata))

    async def head(self, key: str) -> StoredObject | None:
        """See `ObjectStore`."""
        return await self._run(self._described, key)

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
        await self._run(self._delete, [self._path(key) for key in keys])

    async def list(self, prefix: str, *, after: str = "") -> AsyncIterator[StoredObject]:
        """See `ObjectStore`; without content types and metadata, as with S3."""
        objects = await self._run(lambda: iter(self._listed(prefix, after)))
        while stored := await self._run(next, objects, None):
            yield stored

    async def sign_url(
        self, key: str, expires_in: timedelta, *, file_name: str, content_type: str = "", as_attachment: bool = False
    ) -> str:
        """See `ObjectStore`; served by `mediafleet_core.storage.local_http`."""
        self._path(key)
        return self._signer.url(Link(key, int(time()) + lifetime(expires_in), file_name, content_type, as_attachment))

    def require(self) -> None:
        """See `ObjectStore`; always."""

    async def check(self) -> None:
        """See `ObjectStore`."""
        if not await self._run(os.access, self._objects, os.R_OK | os.W_OK | os.X_OK):
            raise denied("the storage folder cannot be written")

    async def close(self) -> None:
        """See `ObjectStore`."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def open(self, key: str) -> tuple[BinaryIO, StoredObject]:
        """The object, its file placed at the first of its `size` bytes. Blocks; the file is the caller's to close."""
        if key.startswith(IMPORTS):
            return self._imports.open(key)
        path = self._path(key)
        try:
            file = path.open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise missing(key) from None
        try:
            about, size = _read_trailer(file)
        except (ValueError, msgspec.MsgspecError, struct.error, OSError) as error:
            file.close()
            raise corrupt(key) from error
        modified = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
        return file, StoredObject(key, size, about.etag, about.content_type, about.metadata, modified)

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args, **kwargs))
        except PermissionError as error:
            raise denied("the storage folder cannot be used") from error
        except OSError as error:
            raise unavailable("server_error", "the storage folder cannot be used") from error

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key) or len(key) > 1024 or key.startswith(IMPORTS):
            raise invalid_field("key", _KEY_RULE)
        return self._objects / key

    def _multipart(self, multipart_id: str) -> Path:
        if not _MULTIPART_ID.fullmatch(multipart_id):
            raise invalid_field("multipart_id", "32 hexadecimal digits")
        return self._multiparts / multipart_id

    def _write(self, target: Path, fill: Callable[[BinaryIO], object]) -> None:
        """Write, sync, rename; when `fill` raises, nothing is kept."""
        temporary = self._temporary / uuid.uuid4().hex
        try:
            with temporary.open("xb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            try:
                temporary.replace(target)
            except FileNotFoundError as error:
                raise _FolderGone from error
        finally:
            temporary.unlink(missing_ok=True)
        _sync(target.parent)

    def _store(self, about: _About, fill: Callable[[BinaryIO], str]) -> StoredObject:
        """An object of the bytes that `fill` writes; it answers their ETag."""
        path = self._path(about.key)
        stored = StoredObject(about.key, 0, "", about.content_type, about.metadata)

        def fill_and_describe(file: BinaryIO) -> None:
            nonlocal stored
            etag = fill(file)
            stored = stored._replace(size=file.tell(), etag=etag)
            record = msgspec.json.encode(msgspec.structs.replace(about, etag=etag))
            file.write(record + _END.pack(len(record), _MAGIC))
            file.flush()  # nothing is written after this, so the file's time is the one that is read back
            stored = stored._replace(modified=datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC))

        while True:
            try:
                _make_folders(path.parent)
                self._write(path, fill_and_describe)
            except _FolderGone:
                continue  # a delete took the empty folder away in between; another writer may have made it again
            return stored

    def _copied(self, source: StoredObject, about: _About) -> StoredObject:
        file, found = self.open(source.key)

        def fill(target: BinaryIO) -> str:
            _copy(file, target, found.size)
            unchanged = not source.key.startswith(IMPORTS) or described(source.key, file).etag == source.etag
            if target.tell() != found.size or not unchanged:
                raise changed(source.key)
            return found.etag

        with file:
            if found.etag != source.etag:
                raise changed(source.key)
            return self._store(about, fill)

    def _begin(self, about: _About) -> str:
        self._path(about.key)
        folder = self._multiparts / uuid.uuid4().hex
        folder.mkdir()
        _sync(self._multiparts)
        self._write(folder / "about.json", lambda file: _poured(file, about.key, [msgspec.json.encode(about)]))
        return folder.name

    def _begun(self, key: str, multipart_id: str) -> _About:
        try:
            about = msgspec.json.decode((self._multipart(multipart_id) / "about.json").read_bytes(), type=_About)
        except FileNotFoundError:
            raise missing(key) from None
        if about.key != key:
            raise missing(key)
        return about

    def _store_part(self, key: str, multipart_id: str, number: int, body: Chunks, crc32c: int) -> str:
        self._begun(key, multipart_id)
        folder = self._multipart(multipart_id)
        stored = folder / _part_name(number, crc32c)
        try:
            self._write(stored, lambda file: _poured(file, key, body, crc32c))
        except FileNotFoundError:
            raise missing(key) from None  # aborted meanwhile
        for replaced in folder.glob(f"{number:05}-*"):
            if replaced != stored:
                replaced.unlink(missing_ok=True)
        return f"{crc32c:08x}"

    def _stored_parts(self, key: str, multipart_id: str) -> Sequence[StoredPart]:
        self._begun(key, multipart_id)
        found = []
        for path in sorted(self._multipart(multipart_id).glob("[0-9]*")):
            number, _, crc = path.name.partition("-")
            found.append(StoredPart(int(number), path.stat().st_size, crc, int(crc, 16)))
        return found

    def _complete(self, key: str, multipart_id: str, parts: Sequence[UploadedPart]) -> StoredObject:
        numbers = [part.number for part in parts]
        if not parts or numbers != sorted(set(numbers)):
            raise refused("InvalidPartOrder")
        etag = _etag_of(multipart_id, parts)
        folder = self._multipart(multipart_id)
        try:
            stored = self._store(self._begun(key, multipart_id), lambda file: _joined(file, key, folder, parts, etag))
        except MediafleetError as error:
            if error.reason not in (Reason.ORIGINAL_MISSING, Reason.PART_MISMATCH):
                raise
            # Whoever completed it meanwhile takes the parts away, once the object stands.
            made = self._described(key)
            if made is None or made.etag != etag:
                raise
            stored = made
        shutil.rmtree(folder, ignore_errors=True)
        return stored

    def _described(self, key: str) -> StoredObject | None:
        try:
            file, stored = self.open(key)
        except MediafleetError as error:
            if error.reason is Reason.ORIGINAL_MISSING:
                return None
            raise
        file.close()
        return stored

    def _unfinished(self, prefix: str) -> Sequence[UnfinishedMultipart]:
        found = []
        for folder in self._multiparts.iterdir():
            try:
                with (folder / "about.json").open("rb") as file:
                    begun = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
                    about = msgspec.json.decode(file.read(), type=_About)
            except FileNotFoundError:
                continue  # ended meanwhile, or begun by a process that died before it could tell anyone the id
            if about.key.startswith(prefix):
                found.append(UnfinishedMultipart(about.key, folder.name, begun))
        return sorted(found)

    def _delete(self, paths: Sequence[Path]) -> None:
        for path in paths:
            try:
                path.unlink()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                continue
            _sync(path.parent)
            for folder in path.parents:
                if folder == self._objects:
                    break
                try:
                    folder.rmdir()
                except OSError:
                    break  # not empty, or gone

    def _listed(self, prefix: str, after: str) -> Iterator[StoredObject]:
        if prefix.startswith(IMPORTS):
            yield from self._imports.below(prefix, after)
            return
        for key in keys_below(self._objects, "", prefix, after, links=True):
            try:
                file, stored = self.open(key)
            except MediafleetError as error:
                if error.reason is Reason.ORIGINAL_MISSING:
                    continue  # deleted meanwhile
                raise
            file.close()
            yield stored._replace(content_type="", metadata={})


class _FolderGone(FileNotFoundError):
    """The folder that a file shall get its name in is not there."""


def _about(key: str, content_type: str, metadata: Mapping[str, str] | None) -> _About:
    return _About(key, content_type or UNTYPED, {name.lower(): value for name, value in (metadata or {}).items()})


def _read_trailer(file: BinaryIO) -> tuple[_About, int]:
    end = file.seek(-_END.size, os.SEEK_END)
    length, magic = _END.unpack(file.read(_END.size))
    if magic != _MAGIC or length > end:
        raise ValueError("no trailer")
    size = file.seek(end - length)
    about = msgspec.json.decode(file.read(length), type=_About)
    file.seek(0)
    return about, size


def _etag_of(multipart_id: str, parts: Sequence[UploadedPart]) -> str:
    named = "".join(f"{part.number}:{part.etag}\n" for part in parts)
    return f"{sha256((multipart_id + named).encode()).hexdigest()[:32]}-{len(parts)}"


def _etag(file: BinaryIO, crc32c: int) -> str:
    return f"{crc32c:08x}-{file.tell():x}"


def _poured(file: BinaryIO, key: str, pieces: Iterable[bytes | memoryview], expected: int | None = None) -> int:
    """The CRC32C of the pieces, which are written; it must be as expected."""
    crc = 0
    for piece in pieces:
        file.write(piece)
        crc = crc32c_of([piece], crc)
    if expected not in {None, crc}:
        raise corrupt(key)
    return crc


def _part_name(number: int, crc32c: int) -> str:
    return f"{number:05}-{crc32c:08x}"


def _joined(file: BinaryIO, key: str, folder: Path, parts: Sequence[UploadedPart], etag: str) -> str:
    """Copies the parts, verified when they were stored, within the kernel; a file system may only share the blocks."""
    for part in parts:
        try:
            with (folder / _part_name(part.number, part.crc32c)).open("rb") as source:
                if part.etag != f"{part.crc32c:08x}":
                    raise parts_differ(key)
                _copy(source, file, os.fstat(source.fileno()).st_size)
        except FileNotFoundError:
            raise parts_differ(key) from None
    return etag


def _copy(source: BinaryIO, target: BinaryIO, size: int) -> None:
    """The first `size` bytes, or those that there are."""
    target.flush()
    done = 0
    with contextlib.suppress(AttributeError, OSError):  # not every system and file system can
        while copied := os.copy_file_range(source.fileno(), target.fileno(), size - done, offset_src=done):
            done += copied
    target.seek(0, os.SEEK_END)
    source.seek(done)
    while done < size and (chunk := source.read(min(CHUNK, size - done))):
        target.write(chunk)
        done += len(chunk)


def _make_folders(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    try:
        folder.mkdir(exist_ok=True)
    except FileNotFoundError as error:
        raise _FolderGone from error
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    """What the folder names is on disk. One that is gone by now was empty: a delete took it away."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _close_opened(opening: asyncio.Future[tuple[BinaryIO, StoredObject]]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[0].close()
