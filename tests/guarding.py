"""Servers that tests start end with the process that runs the tests, even if that is killed.

The kernel can bind a process to the thread that started it, as `mediafleet_devserver.tether` does; but tests start some
in threads that end before. So one more process waits for the end of this one, and then kills what it was told of.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from typing import AnyStr


def guarded(process: subprocess.Popen[AnyStr]) -> subprocess.Popen[AnyStr]:
    """The same process, which is killed when this one has ended."""
    told = _guard().stdin
    assert told is not None
    told.write(f"{process.pid}\n")
    told.flush()
    return process


@cache
def _guard() -> subprocess.Popen[str]:
    # In a session of its own: what is sent to the group of this process does not reach it.
    guard = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__], stdin=subprocess.PIPE, text=True, start_new_session=True
    )
    atexit.register(guard.communicate)
    return guard


def main() -> None:
    """Read pids until nobody can tell any more; then kill those that still run."""
    found = []
    for pid in sys.stdin:
        with suppress(ProcessLookupError):  # it has ended already
            found.append(os.pidfd_open(int(pid)))  # which stays its own, whoever gets the number later
    for process in found:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGKILL)


if __name__ == "__main__":
    main()
