"""Trouble on demand, for tests: errors, silence and broken connections, for the next requests or by chance."""

from __future__ import annotations

import random
import re
import secrets
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field
from werkzeug.wrappers import Response

from mediafleet_devserver.r2.operations import Operation
from mediafleet_devserver.r2.refusals import Refused

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class FaultKind(StrEnum):
    """What goes wrong."""

    THROTTLE = "429"
    ERROR = "500"
    UNAVAILABLE = "503"
    DENY = "403"
    STALL = "stall"
    """Answers late."""
    RESET = "reset"
    """Breaks the connection and does nothing."""
    LOSE_ANSWER = "lose-answer"
    """Does what was asked and then breaks the connection."""
    WRONG_ETAG = "wrong-etag"
    """Does what was asked and answers with an ETag that belongs to nothing."""
    CRAWL = "crawl"
    """Does what was asked and sends the answer's content slowly."""


_ERRORS = {
    FaultKind.DENY: ("AccessDenied", 403, "Access Denied"),
    FaultKind.THROTTLE: ("TooManyRequests", 429, "Please look at our API limits."),
    FaultKind.ERROR: ("InternalError", 500, "We encountered an internal error. Please try again."),
    FaultKind.UNAVAILABLE: ("ServiceUnavailable", 503, "Please reduce your request rate."),
}


class Fault(BaseModel):
    """One kind of trouble, for the requests that it fits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    times: int | None = Field(None, ge=1)
    """How often; None is until the faults are cleared."""
    probability: float = Field(1.0, gt=0, le=1)
    seed: int = 0
    """Of the chance: the same seed fails the same ones of a series of requests."""
    operations: frozenset[Operation] = frozenset()
    """Only these; none named means all."""
    seconds: float = Field(30.0, ge=0)
    """How long STALL waits."""
    bytes_per_second: int = Field(50_000_000, ge=1)
    """How fast CRAWL sends."""

    def refuse(self) -> None:
        """Called before the work. Raises the error, if it is one."""
        if self.kind is FaultKind.STALL:
            time.sleep(self.seconds)
        elif error := _ERRORS.get(self.kind):
            raise Refused(*error)


class Faults:
    """The trouble that is planned; safe to use from several threads."""

    def __init__(self) -> None:
        """None to begin with."""
        self._lock = threading.Lock()
        self._planned: list[_Planned] = []
        self.struck: Counter[FaultKind] = Counter()
        """How often each kind struck."""

    def plan(self, faults: Sequence[Fault]) -> None:
        """From now on these and no others."""
        with self._lock:
            self._planned = [_Planned(fault) for fault in faults]

    def next(self, operation: Operation | None) -> Fault | None:
        """What shall befall a request, the first plan first."""
        with self._lock:
            fault = next((planned.fault for planned in self._planned if planned.strikes(operation)), None)
            if fault:
                self.struck[fault.kind] += 1
            return fault


class _Planned:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._left = fault.times
        self._chance = random.Random(fault.seed)

    def strikes(self, operation: Operation | None) -> bool:
        if self._left == 0 or (self.fault.operations and operation not in self.fault.operations):
            return False
        if self._chance.random() >= self.fault.probability:
            return False
        if self._left is not None:
            self._left -= 1
        return True


def break_connection(environ: WSGIEnvironment) -> None:
    """Answers nothing: the client sees its connection reset. Always raises ConnectionError, which ends the request."""
    connection = environ["werkzeug.socket"]
    assert isinstance(connection, socket.socket)
    no_lingering = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_lingering)
    raise ConnectionAbortedError("broken on purpose")


def lie_about_etag(response: Response) -> None:
    """Puts a false one in the place of the true, in the headers and in the document that answers a Complete."""
    if "ETag" in response.headers:
        response.headers["ETag"] = f'"{secrets.token_hex(16)}"'
    if b"<ETag>" in response.data:
        response.data = re.sub(rb"(?<=<ETag>)[^<]*", f'"{secrets.token_hex(16)}"'.encode(), response.data)


def crawl(response: Response, bytes_per_second: int) -> None:
    """Its content comes in pieces of at most 1 MiB, ten a second where that is less, and no faster than this."""
    content = memoryview(response.get_data())
    size = max(1, min(1 << 20, bytes_per_second // 10))

    def pieces() -> Iterator[bytes]:
        began = time.monotonic()
        for start in range(0, len(content), size):
            yield bytes(content[start : start + size])
            time.sleep(max(0.0, began + (start + size) / bytes_per_second - time.monotonic()))

    response.response = pieces()
