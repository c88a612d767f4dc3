"""The worker's side of the zygote: start it, ask for children, learn of their ends."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec

from mediafleet_workers.sandbox.messages import MAX_PACKET, Boot, Ended, Kill, Start

_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "VIPS_CONCURRENCY": "1",
}
_ended = msgspec.json.Decoder(Ended)


class ZygoteLost(Exception):
    """The zygote ended, and every child with it."""


class Child(NamedTuple):
    """A running child: the read end of its pipe, and its end to come (or ZygoteLost)."""

    number: int
    pipe: int
    ended: asyncio.Future[Ended]


class ZygoteLink:
    """A running zygote. Made and used on the event loop."""

    def __init__(self, boot: Boot) -> None:
        """Starts the process with an environment that holds nothing of the worker's; it loads while this returns."""
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-m", "mediafleet_workers.sandbox.zygote", str(theirs.fileno())],
                env=_ENVIRONMENT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd="/",
            )
        self._socket.setblocking(False)
        with contextlib.suppress(ConnectionError):  # it was killed meanwhile: the first who asks for a child is told
            self._socket.send(msgspec.json.encode(boot))
        self._numbers = itertools.count(1)
        self._running: dict[int, asyncio.Future[Ended]] = {}
        self.alive = True
        asyncio.get_running_loop().add_reader(self._socket, self._hear)

    @property
    def pid(self) -> int:
        """The zygote's process id."""
        return self._process.pid

    def fork(self, folder: Path, entry: str, job: bytes) -> Child:
        """Start a child. Raises ZygoteLost, and ValueError for a job that is too large to send."""
        number = next(self._numbers)
        packet = msgspec.json.encode(Start(child=number, folder=str(folder), entry=entry, job=job))
        if len(packet) > MAX_PACKET:
            raise ValueError(f"a job of {len(packet)} bytes does not fit in a packet")
        ours, theirs = os.pipe()
        try:
            socket.send_fds(self._socket, [packet], [theirs])
        except OSError as error:
            os.close(ours)
            raise ZygoteLost(str(error)) from error
        finally:
            os.close(theirs)
        self._running[number] = asyncio.get_running_loop().create_future()
        return Child(number, ours, self._running[number])

    def kill(self, child: Child) -> None:
        """End a child at once; harmless when it has ended."""
        with contextlib.suppress(OSError):
            self._socket.send(msgspec.json.encode(Kill(child=child.number)))

    async def close(self) -> None:
        """End the zygote and every child; returns when it is reaped."""
        self._lose()
        await asyncio.to_thread(self._process.wait)

    def _hear(self) -> None:
        try:
            while packet := self._socket.recv(MAX_PACKET):
                ended = _ended.decode(packet)
                future = self._running.pop(ended.child)
                if not future.done():
                    future.set_result(ended)
        except BlockingIOError:
            return
        except OSError:
            pass
        self._lose()

    def _lose(self) -> None:
        if not self.alive:
            return
        self.alive = False
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        for future in self._running.values():
            if not future.done():
                future.set_exception(ZygoteLost("the zygote ended"))
                future.exception()  # seen, even if nobody waits any more
        self._running.clear()
