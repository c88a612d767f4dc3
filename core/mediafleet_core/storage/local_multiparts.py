"""Unfinished multiparts of local storage: a folder each, with `about.json` and one file per part."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import msgspec

from mediafleet_core.errors import MediafleetError, Reason, invalid_field
from mediafleet_core.ports import Chunks, StoredObject, StoredPart, UnfinishedMultipart, UploadedPart
from mediafleet_core.storage.local_objects import About, LocalObjects
from mediafleet_core.storage.troubles import missing, parts_differ, refused
from mediafleet_core.storage.whole_files import WholeFiles, copy, pour, sync

_ID = re.compile(r"[0-9a-f]{32}")


class LocalMultiparts:
    """See `ObjectStore`; every method blocks."""

    def __init__(self, folder: Path, files: WholeFiles, objects: LocalObjects) -> None:
        """Makes the folder if needed."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._files, self._objects = folder, files, objects

    def begin(self, known: About) -> str:
        """The id of a new one."""
        self._objects.path(known.key)
        folder = self._folder / uuid.uuid4().hex
        folder.mkdir()
        sync(self._folder)
        self._files.write(folder / "about.json", lambda file: pour(file, known.key, [msgspec.json.encode(known)]))
        return folder.name

    def put(self, key: str, multipart_id: str, number: int, body: Chunks, crc32c: int) -> str:
        """The ETag of a part."""
        self._begun(key, multipart_id)
        folder = self._at(multipart_id)
        stored = folder / _part_name(number, crc32c)
        try:
            self._files.write(stored, lambda file: pour(file, key, body, crc32c))
            for replaced in folder.glob(f"{number:05}-*"):
                if replaced != stored:
                    replaced.unlink(missing_ok=True)
        except FileNotFoundError:
            raise missing(key) from None  # aborted meanwhile
        return f"{crc32c:08x}"

    def parts(self, key: str, multipart_id: str) -> Sequence[StoredPart]:
        """Those that are stored, by number."""
        while True:
            self._begun(key, multipart_id)
            try:
                return [_stored(path) for path in sorted(self._at(multipart_id).glob("[0-9]*"))]
            except FileNotFoundError:
                continue  # one was replaced meanwhile, or all of it is aborted

    def complete(self, key: str, multipart_id: str, parts: Sequence[UploadedPart]) -> StoredObject:
        """The object of these parts."""
        numbers = [part.number for part in parts]
        if not parts or numbers != sorted(set(numbers)):
            raise refused("InvalidPartOrder")
        etag = _etag_of(multipart_id, parts)
        folder = self._at(multipart_id)
        try:
            known = self._begun(key, multipart_id)
            stored = self._objects.store(known, lambda file: _joined(file, key, folder, parts, etag))
        except MediafleetError as error:
            if error.reason not in (Reason.ORIGINAL_MISSING, Reason.PART_MISMATCH):
                raise
            # Whoever completed it meanwhile takes the parts away, once the object stands.
            made = self._objects.head(key)
            if made is None or made.etag != etag:
                raise
            stored = made
        shutil.rmtree(folder, ignore_errors=True)
        return stored

    def abort(self, multipart_id: str) -> None:
        """Drop it, if it is there."""
        shutil.rmtree(self._at(multipart_id), ignore_errors=True)

    def list(self, prefix: str) -> Sequence[UnfinishedMultipart]:
        """Those of keys below the prefix."""
        found = []
        for folder in self._folder.iterdir():
            try:
                with (folder / "about.json").open("rb") as file:
                    begun = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
                    known = msgspec.json.decode(file.read(), type=About)
            except FileNotFoundError:
                continue  # ended meanwhile, or begun by a process that died before it could tell anyone the id
            if known.key.startswith(prefix):
                found.append(UnfinishedMultipart(known.key, folder.name, begun))
        return sorted(found)

    def _at(self, multipart_id: str) -> Path:
        if not _ID.fullmatch(multipart_id):
            raise invalid_field("multipart_id", "32 hexadecimal digits")
        return self._folder / multipart_id

    def _begun(self, key: str, multipart_id: str) -> About:
        try:
            known = msgspec.json.decode((self._at(multipart_id) / "about.json").read_bytes(), type=About)
        except FileNotFoundError:
            raise missing(key) from None
        if known.key != key:
            raise missing(key)
        return known


def _etag_of(multipart_id: str, parts: Sequence[UploadedPart]) -> str:
    named = "".join(f"{part.number}:{part.etag}\n" for part in parts)
    return f"{sha256((multipart_id + named).encode()).hexdigest()[:32]}-{len(parts)}"


def _part_name(number: int, crc32c: int) -> str:
    return f"{number:05}-{crc32c:08x}"


def _stored(path: Path) -> StoredPart:
    number, _, crc = path.name.partition("-")
    return StoredPart(int(number), path.stat().st_size, crc, int(crc, 16))


def _joined(file: BinaryIO, key: str, folder: Path, parts: Sequence[UploadedPart], etag: str) -> str:
    """The parts, verified when they were stored."""
    for part in parts:
        try:
            with (folder / _part_name(part.number, part.crc32c)).open("rb") as source:
                if part.etag != f"{part.crc32c:08x}":
                    raise parts_differ(key)
                copy(source, file, os.fstat(source.fileno()).st_size)
        except FileNotFoundError:
            raise parts_differ(key) from None
    return etag
