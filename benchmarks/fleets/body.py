"""What all fleets share: the body of a job, and how a sender is spoken to. Knows the standard library alone."""

from __future__ import annotations

import os
import struct
import sys
import time
from collections.abc import Callable

STARTS = "BENCH_STARTS"
"""The variable that names the file of starts: eight bytes for each, by the clock that all processes share."""

AT_ONCE = 8
"""Jobs that a sender sends at once."""


def body() -> Callable[[], None]:
    """The no-op: it notes that it started. Writes of several processes never mix."""
    file = os.open(os.environ[STARTS], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def nothing() -> None:
        os.write(file, struct.pack("d", time.monotonic()))

    return nothing


def obey(send: Callable[[int], None]) -> None:
    """Send as many jobs as each line of the input says; the answer is when the first was begun."""
    for line in sys.stdin:
        begun = time.monotonic()
        send(int(line))
        print(begun, flush=True)
