"""One write a second to one key."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

from mediafleet_devserver.r2.operations import Operation
from mediafleet_devserver.r2.refusals import Refused
from mediafleet_devserver.r2.request import S3Request

WRITES = frozenset({Operation.PUT_OBJECT, Operation.COPY_OBJECT, Operation.COMPLETE_MULTIPART_UPLOAD})
"""What makes or replaces an object; parts are none, so a multipart takes them as fast as they come."""

_SWEEP_AT = 10_000


class WriteRate:
    """Remembers when each key was last written. A write that other rules let pass counts, whatever becomes of it."""

    def __init__(self, interval: timedelta) -> None:
        """`interval` must lie between two writes; none with zero."""
        self._interval = interval.total_seconds()
        self._lock = threading.Lock()
        self._written: dict[str, float] = {}

    def __call__(self, request: S3Request) -> None:
        """Raises TooManyRequests."""
        if request.operation not in WRITES:
            return
        with self._lock:
            now = time.monotonic()
            if now - self._written.get(request.path, float("-inf")) < self._interval:
                raise Refused("TooManyRequests", 429, "Reduce your concurrent request rate for the same object.")
            if len(self._written) >= _SWEEP_AT:
                self._written = {path: at for path, at in self._written.items() if now - at < self._interval}
            self._written[request.path] = now
