"""Objects of local storage: a file each, its bytes and then a trailer with what is known of them."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from mediafleet_core.errors import MediafleetError, Reason, invalid_field
from mediafleet_core.object_keys import IMPORTS
from mediafleet_core.ports import StoredObject
from mediafleet_core.storage.bodies import UNTYPED
from mediafleet_core.storage.folders import LONGEST_KEY, keys_below
from mediafleet_core.storage.plain_files import PlainFiles, described
from mediafleet_core.storage.troubles import changed, corrupt, missing
from mediafleet_core.storage.whole_files import FolderGoneError, WholeFiles, copy, make_folders, sync

_COMPONENT = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._=+@-]{1,200}"
_KEY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_KEY_RULE = "names of A-Z a-z 0-9 . _ - = + @ joined by single slashes, none of them . or .., not below imports/"
_END = struct.Struct(">I8s")
_MAGIC = b"mfobject"


class About(msgspec.Struct, frozen=True):
    """What the trailer of an object, or `about.json` of a multipart, knows."""

    key: str
    content_type: str
    metadata: dict[str, str]
    etag: str = ""


def about(key: str, content_type: str, metadata: Mapping[str, str] | None) -> About:
    """As it is kept: names of metadata in lower case, as S3 has them."""
    return About(key, content_type or UNTYPED, {name.lower(): value for name, value in (metadata or {}).items()})


class LocalObjects:
    """Every method blocks."""

    def __init__(self, folder: Path, files: WholeFiles, imports: PlainFiles) -> None:
        """Makes the folder if needed; what lies below `imports/` is not of ours, and only read."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._files, self._imports = files, imports

    def path(self, key: str) -> Path:
        """Where the object lies. Raises FIELD_INVALID for what can be no key."""
        if not _KEY.fullmatch(key) or len(key) > LONGEST_KEY or key.startswith(IMPORTS):
            raise invalid_field("key", _KEY_RULE)
        return self.folder / key

    def open(self, key: str) -> tuple[BinaryIO, StoredObject]:
        """The object, its file placed at the first of its `size` bytes; the file is the caller's to close."""
        if key.startswith(IMPORTS):
            return self._imports.open(key)
        path = self.path(key)
        try:
            file = path.open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise missing(key) from None
        try:
            known, size = _read_trailer(file)
        except (ValueError, msgspec.MsgspecError, struct.error, OSError) as error:
            file.close()
            raise corrupt(key) from error
        modified = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
        return file, StoredObject(key, size, known.etag, known.content_type, known.metadata, modified)

    def head(self, key: str) -> StoredObject | None:
        """See `ObjectStore`."""
        try:
            file, stored = self.open(key)
        except MediafleetError as error:
            if error.reason is Reason.ORIGINAL_MISSING:
                return None
            raise
        file.close()
        return stored

    def store(self, known: About, fill: Callable[[BinaryIO], str]) -> StoredObject:
        """An object of the bytes that `fill` writes; it answers their ETag."""
        path = self.path(known.key)
        stored = StoredObject(known.key, 0, "", known.content_type, known.metadata)

        def fill_and_describe(file: BinaryIO) -> None:
            nonlocal stored
            etag = fill(file)
            stored = stored._replace(size=file.tell(), etag=etag)
            record = msgspec.json.encode(msgspec.structs.replace(known, etag=etag))
            file.write(record + _END.pack(len(record), _MAGIC))
            file.flush()  # nothing is written after this, so the file's time is the one that is read back
            stored = stored._replace(modified=datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC))

        while True:
            try:
                make_folders(path.parent)
                self._files.write(path, fill_and_describe)
            except FolderGoneError:
                continue  # a delete took the empty folder away in between; another writer may have made it again
            return stored

    def copy(self, source: StoredObject, known: About) -> StoredObject:
        """See `ObjectStore`."""
        file, found = self.open(source.key)

        def fill(target: BinaryIO) -> str:
            copy(file, target, found.size)
            unchanged = not source.key.startswith(IMPORTS) or described(source.key, file).etag == source.etag
            if target.tell() != found.size or not unchanged:
                raise changed(source.key)
            return found.etag

        with file:
            if found.etag != source.etag:
                raise changed(source.key)
            return self.store(known, fill)

    def delete(self, keys: Sequence[str]) -> None:
        """See `ObjectStore`; folders that are empty then go, too."""
        for path in [self.path(key) for key in keys]:
            try:
                path.unlink()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                continue
            sync(path.parent)
            for folder in path.parents:
                if folder == self.folder:
                    break
                try:
                    folder.rmdir()
                except OSError:
                    break  # not empty, or gone

    def list(self, prefix: str, after: str) -> Iterator[StoredObject]:
        """See `ObjectStore`."""
        if prefix.startswith(IMPORTS):
            yield from self._imports.below(prefix, after)
            return
        for key in keys_below(self.folder, "", prefix, after, links=True):
            if stored := self.head(key):  # else it was deleted meanwhile
                yield stored._replace(content_type="", metadata={})


def _read_trailer(file: BinaryIO) -> tuple[About, int]:
    end = file.seek(-_END.size, os.SEEK_END)
    length, magic = _END.unpack(file.read(_END.size))
    if magic != _MAGIC or length > end:
        raise ValueError("no trailer")
    size = file.seek(end - length)
    known = msgspec.json.decode(file.read(length), type=About)
    file.seek(0)
    return known, size
