"""What lies in the storage for an upload, against what its record names. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.ports import StoredObject
from mediafleet_core.uploads import State, Upload


class ObjectRole(StrEnum):
    """What an object is to its upload; LEFT_OVER is what no record names, and a sweep removes."""

    ORIGINAL = "ORIGINAL"
    RENDITION = "RENDITION"
    MANIFEST = "MANIFEST"
    TAIL = "TAIL"
    LEFT_OVER = "LEFT_OVER"


class ObjectFact(NamedTuple):
    """One object, or one that should be there; sizes in bytes, `expected` None where the record tells none."""

    key: str
    role: ObjectRole
    size: int
    present: bool
    expected: int | None = None

    @property
    def sound(self) -> bool:
        """Whether it is there as the record has it."""
        return self.present and self.expected in (None, self.size)


def compared(upload: Upload, stored: Sequence[StoredObject]) -> tuple[ObjectFact, ...]:
    """Every object that is stored or named, by rising key."""
    named = _named(upload)
    there = {each.key: each.size for each in stored}
    facts = []
    for key in sorted(there.keys() | named.keys()):
        role, expected = named.get(key) or (_unnamed(upload, key), None)
        facts.append(ObjectFact(key, role, there.get(key, 0), key in there, expected))
    return tuple(facts)


def _named(upload: Upload) -> dict[str, tuple[ObjectRole, int | None]]:
    named: dict[str, tuple[ObjectRole, int | None]] = {
        each.key: (ObjectRole.RENDITION, each.size_bytes) for each in upload.renditions
    }
    if upload.original_key:
        named[upload.original_key] = (ObjectRole.ORIGINAL, upload.size_bytes)
    if upload.state is State.SUCCEEDED:
        named[UploadKeys(upload.tenant, upload.upload_id).manifest] = (ObjectRole.MANIFEST, None)
    return named


def _unnamed(upload: Upload, key: str) -> ObjectRole:
    """What is there before a record names it: what a writer or a worker has begun."""
    keys = UploadKeys(upload.tenant, upload.upload_id)
    if upload.state is State.RECEIVING:
        return ObjectRole.TAIL if key.startswith(keys.tails) else ObjectRole.ORIGINAL
    if upload.state is State.PROCESSING and key.startswith(keys.attempt(upload.fence)):
        return ObjectRole.RENDITION
    return ObjectRole.LEFT_OVER
