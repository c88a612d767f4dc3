"""Who may go on now, and who is asked to come back: limits of this gateway process, told as RATE_LIMITED.

Uploads (WriteUpload, UploadFile) have places and bytes in flight, for the process and for each tenant; methods that
change something have places. Watches, health and reads are never counted, so that they stay quick while uploads wait.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from types import MappingProxyType

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.identity import TenantId
from mediafleet_core.quotas import Limits
from mediafleet_gateway import metrics

METHOD_LIMITS: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(
        (
            "CreateUpload",
            "SignUploadParts",
            "CompleteDirectUpload",
            "ImportUpload",
            "UpdateUpload",
            "RetryUpload",
            "CancelUpload",
            "DeleteUpload",
            "CreateBatch",
            "SealBatch",
            "RetryBatch",
            "CancelBatch",
            "ReplayWebhooks",
            "MarkNotificationsRead",
        ),
        256,
    )
)
"""Calls at once of each method that is counted, unless the settings say otherwise."""

_SHORTEST, _LONGEST = 0.1, 20.0
"""Seconds between which a caller is asked to stay away, chance aside; below the patience of clients."""


class Room:
    """Places and bytes for those who are in, and the line of those who were asked to come back."""

    def __init__(self, name: str, places: int, most_bytes: int | None = None, clock: Callable[[], float] = monotonic):
        """`name` tells callers which limit they met."""
        self._name, self._places, self._most_bytes, self._clock = name, places, most_bytes, clock
        self._in = self._bytes = 0
        self._entered = 0.0
        self._stay = _SHORTEST
        self._due: list[float] = []

    @property
    def empty(self) -> bool:
        """Whether nobody is in, and nobody is expected."""
        self._forget_arrived()
        return not self._in and not self._due

    def check(self, size: int = 0) -> None:
        """Raise RATE_LIMITED if there is no place, or not for so many bytes; whoever is alone may bring any number."""
        too_much = self._most_bytes is not None and self._in > 0 and self._bytes + size > self._most_bytes
        if self._in >= self._places or too_much:
            raise MediafleetError(
                Reason.RATE_LIMITED,
                "too much is under way; try again after the delay",
                metadata={"limit": self._name},
                retry_after=self._delay(),
            )

    @contextmanager
    def place(self, size: int = 0) -> Iterator[None]:
        """A place and `size` bytes for as long as the block runs; to be taken right after the `check`."""
        began = self._clock()
        self._entered += began
        self._in += 1
        self._bytes += size
        try:
            yield
        finally:
            self._in -= 1
            self._entered = self._entered - began if self._in else 0.0
            self._bytes -= size
            self._stay += (self._clock() - began - self._stay) / 8

    def _delay(self) -> float:
        """When a place will be free for this caller, if those before it come back as they were asked to.

        A place gets free every (typical stay / number in) seconds; each one in the line takes one. A stay is taken to
        be as long as earlier ones, and no shorter than those who are in have been there by now.
        """
        self._forget_arrived()
        so_far = self._clock() - self._entered / max(1, self._in)
        turn = max(self._stay, so_far) * (len(self._due) + 1) / max(1, self._in)
        delay = min(max(turn, _SHORTEST), _LONGEST) * random.uniform(1.0, 1.3)
        heapq.heappush(self._due, self._clock() + delay)
        return delay

    def _forget_arrived(self) -> None:
        now = self._clock()
        while self._due and self._due[0] <= now:
            heapq.heappop(self._due)


class Admission:
    """All limits of one gateway process."""

    def __init__(
        self,
        uploads: int,
        upload_bytes: int,
        limits_of: Callable[[TenantId], Limits],
        methods: Mapping[str, int],
    ) -> None:
        """`uploads` and `upload_bytes` at once in the process, `limits_of` each tenant, `methods` calls at once."""
        self._limits_of = limits_of
        self._all = Room("gateway", uploads, upload_bytes)
        self._tenants: dict[TenantId, Room] = {}
        self._methods = {name: Room(name, places) for name, places in methods.items()}

    @contextmanager
    def upload(self, tenant: TenantId, size: int) -> Iterator[None]:
        """An upload that holds about `size` bytes of memory, while the block runs. Raises RATE_LIMITED."""
        limits = self._limits_of(tenant)
        if tenant not in self._tenants:
            self._tenants[tenant] = Room("tenant", limits.concurrent_uploads, limits.bytes_in_flight)
        own = self._tenants[tenant]
        try:
            own.check(size)
            self._all.check(size)
            with own.place(size), self._all.place(size), _shown(size):
                yield
        finally:
            if own.empty:
                self._tenants.pop(tenant, None)

    @contextmanager
    def call(self, method: str) -> Iterator[None]:
        """One call of a method, by the bare name of a counted one, while the block runs. Raises RATE_LIMITED."""
        room = self._methods[method]
        room.check()
        with room.place():
            yield


@contextmanager
def _shown(size: int) -> Iterator[None]:
    metrics.UPLOADS_IN_FLIGHT.inc()
    metrics.UPLOAD_BYTES_IN_FLIGHT.inc(size)
    try:
        yield
    finally:
        metrics.UPLOADS_IN_FLIGHT.dec()
        metrics.UPLOAD_BYTES_IN_FLIGHT.dec(size)
