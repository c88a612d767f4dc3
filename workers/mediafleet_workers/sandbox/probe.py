"""A job that tries to break out, run once at the start of a worker."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from collections.abc import Callable, Iterator

import msgspec


def escape(_job: bytes, _report: Callable[[bytes], None]) -> bytes:
    """What a child could do and should not: a JSON list of sentences, empty when it is locked in well."""
    return msgspec.json.encode(list(_escapes()))


def _escapes() -> Iterator[str]:
    with contextlib.suppress(OSError):
        os.listdir("/")  # noqa: PTH208 - the plain call is what is tried
        yield "it reads files that are not its own"
    with contextlib.suppress(OSError):
        socket.socket().close()
        yield "it opens sockets"
    with contextlib.suppress(OSError):
        if (pid := os.fork()) == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        yield "it starts processes"
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
        yield "it raises its limits"
