"""The zygote: `python -m mediafleet_workers.sandbox.zygote DESCRIPTOR`, which the worker starts.

Its environment holds nothing of the worker's. It is single-threaded, so forking it is safe; it never decodes anything
itself.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys
from functools import cache

import msgspec

from mediafleet_workers.sandbox import linux
from mediafleet_workers.sandbox.child import Entry, live
from mediafleet_workers.sandbox.messages import MAX_PACKET, Boot, Ended, Kill, Start

_boot = msgspec.json.Decoder(Boot)
_command = msgspec.json.Decoder(Start | Kill)


class Zygote:
    """Forks, ends and reaps children as the worker says."""

    def __init__(self, worker: socket.socket, boot: Boot) -> None:
        self._worker = worker
        self._limits = boot.limits
        self._pids: dict[int, int] = {}
        """Child's number -> pid, until it is reaped; so a pid in here is never someone else's."""

    def serve(self) -> None:
        """Until the worker closes its end, or is gone."""
        awake, wake = os.pipe()
        for end in (awake, wake):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake)
        try:
            while True:
                ready, _, _ = select.select([self._worker.fileno(), awake], [], [])
                if awake in ready:
                    os.read(awake, 4096)
                    self._reap()
                if self._worker.fileno() in ready and not self._obey():
                    return
        finally:
            for child in list(self._pids):
                self._kill(child)

    def _obey(self) -> bool:
        packet, pipes, _, _ = socket.recv_fds(self._worker, MAX_PACKET, 1)
        if not packet:
            return False
        match _command.decode(packet):
            case Start() as start:
                self._fork(start, pipes[0])
            case Kill(child=child):
                self._kill(child)
        for pipe in pipes:
            os.close(pipe)
        return True

    def _fork(self, start: Start, pipe: int) -> None:
        entry = _entry(start.entry)
        pid = os.fork()
        if pid == 0:
            live(start, entry, pipe, self._limits)
        self._pids[start.child] = pid

    def _kill(self, child: int) -> None:
        if pid := self._pids.get(child):
            for end in (os.kill, os.killpg):  # it may not lead a session of its own yet
                with contextlib.suppress(ProcessLookupError):
                    end(pid, signal.SIGKILL)

    def _reap(self) -> None:
        while (dead := _any_dead()) is not None:
            child = next((child for child, pid in self._pids.items() if pid == dead), None)
            if child is not None:
                self._kill(child)  # what it may have left in its session
            _, status, used = os.wait4(dead, 0)
            if child is not None:
                del self._pids[child]
                ended = Ended(
                    child=child,
                    status=os.waitstatus_to_exitcode(status),
                    peak_memory=used.ru_maxrss * 1024,
                    cpu=used.ru_utime + used.ru_stime,
                )
                self._worker.send(msgspec.json.encode(ended))


def _any_dead() -> int | None:
    """The pid of a dead child that is not reaped yet, so that its pid and session are still its own."""
    try:
        dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return dead.si_pid if dead else None


@cache
def _entry(name: str) -> Entry:
    module, _, function = name.partition(":")
    entry: Entry = getattr(importlib.import_module(module), function)
    return entry


def main() -> None:
    """Load the decoders, then serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the worker decides
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    linux.adopt_orphans()
    worker = socket.socket(fileno=int(sys.argv[1]))
    boot = _boot.decode(worker.recv(MAX_PACKET))
    sys.path[:] = boot.import_path
    for module in boot.preload:
        importlib.import_module(module)
    gc.freeze()  # children share these pages for longer
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        Zygote(worker, boot).serve()


if __name__ == "__main__":
    main()
