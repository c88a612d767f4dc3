"""Stored bytes and objects, as counters kept with each commit. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from mediafleet_core.media_types import MediaKind


class Stored(NamedTuple):
    """An amount: bytes and objects."""

    size: int = 0
    objects: int = 0

    def __add__(self, other: tuple[object, ...]) -> Stored:
        """Amounts add up field by field."""
        if not isinstance(other, Stored):
            return NotImplemented
        return Stored(self.size + other.size, self.objects + other.objects)


class Usage(NamedTuple):
    """What is stored: originals and renditions per kind, per collection in all, and bytes reserved by open uploads."""

    originals: Mapping[MediaKind, Stored]
    renditions: Mapping[MediaKind, Stored]
    collections: Mapping[str, Stored]
    reserved_bytes: int
    as_of: datetime

    @property
    def total(self) -> Stored:
        """Everything, without reservations."""
        return sum([*self.originals.values(), *self.renditions.values()], Stored())
