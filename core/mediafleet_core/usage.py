"""Stored bytes and objects, as counters kept with each commit; how the bucket differs, and their past. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from mediafleet_core.media_types import MediaKind


class Stored(NamedTuple):
    """An amount: bytes and objects. Differences may be negative."""

    size: int = 0
    objects: int = 0

    def __add__(self, other: tuple[object, ...]) -> Stored:
        """Amounts add up field by field."""
        if not isinstance(other, Stored):
            return NotImplemented
        return Stored(self.size + other.size, self.objects + other.objects)

    def __sub__(self, other: Stored) -> Stored:
        """By how much this is more than the other, field by field."""
        return Stored(self.size - other.size, self.objects - other.objects)


class Usage(NamedTuple):
    """What is stored: originals and renditions per kind, per collection in all, and bytes reserved by open uploads.

    Collections come largest first; "" are the uploads without one.
    """

    originals: Mapping[MediaKind, Stored]
    renditions: Mapping[MediaKind, Stored]
    collections: Mapping[str, Stored]
    reserved_bytes: int
    as_of: datetime

    @property
    def total(self) -> Stored:
        """Everything, without reservations."""
        return sum([*self.originals.values(), *self.renditions.values()], Stored())


class Operations(NamedTuple):
    """Operations on the storage, by their class in R2's price list."""

    class_a: int = 0
    class_b: int = 0


class Reconciliation(NamedTuple):
    """The latest reconciliation of the counters with the bucket, which went on from `began` until `time`.

    `listed` are originals and renditions, `other` are manifests, tails and archives, which no counter counts. `drift`
    is by how much the bucket had more than the counters; what was just coming or going is in neither. `counted` is what
    the counters said at the end.
    """

    began: datetime
    time: datetime
    listed: Stored
    other: Stored
    drift: Stored
    counted: Stored


class ReconciliationProgress(NamedTuple):
    """A reconciliation that is under way: objects listed so far, of about so many."""

    began: datetime
    listed: int
    expected: int


class ReconciliationStatus(NamedTuple):
    """What is known of the bucket beside the counters; None for what there has not been yet, or is not now."""

    latest: Reconciliation | None
    progress: ReconciliationProgress | None


class Granularity(StrEnum):
    """The width of a step of the past, in UTC."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"

    @property
    def kept(self) -> timedelta:
        """How long a step is remembered."""
        return _KEPT[self]

    def start(self, time: datetime) -> datetime:
        """The beginning of the step that this time is in."""
        hour = time.replace(minute=0, second=0, microsecond=0)
        if self is Granularity.HOUR:
            return hour
        return hour.replace(hour=0) if self is Granularity.DAY else hour.replace(hour=0, day=1)

    def next(self, start: datetime) -> datetime:
        """The beginning of the step after the one that begins at `start`."""
        longest = {Granularity.HOUR: timedelta(hours=1), Granularity.DAY: timedelta(days=1)}
        return self.start(start + longest.get(self, timedelta(days=31)))


_KEPT = {
    Granularity.HOUR: timedelta(days=14),
    Granularity.DAY: timedelta(days=400),
    Granularity.MONTH: timedelta(days=1830),
}


class UsagePoint(NamedTuple):
    """One step of the past: what was stored at its end, and the operations during it."""

    start: datetime
    originals: Stored
    renditions: Stored
    operations: Operations


class UsageHistory(NamedTuple):
    """Steps by rising time, and where the next page begins; None at the end."""

    points: tuple[UsagePoint, ...]
    next_start: datetime | None
