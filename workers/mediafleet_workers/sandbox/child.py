"""The child's side: lock the door, run the job, tell what came of it."""

from __future__ import annotations

import errno
import os
import signal
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeAlias

import msgspec

from mediafleet_core.failures import FailureCode, ProcessingError
from mediafleet_workers.sandbox import linux
from mediafleet_workers.sandbox.confinement import confine
from mediafleet_workers.sandbox.messages import FRAME_HEADER, Failed, Limits, Start, Tag

Entry: TypeAlias = Callable[[bytes, Callable[[bytes], None]], bytes]
"""Runs a job: takes it and a function that reports progress, returns the result; bytes are JSON all three times."""

_PIPE = 3
_MAX_EVIDENCE = 2000
_CONFINED = (errno.EPERM, errno.EACCES, errno.EFBIG, errno.EMFILE)
"""How the sandbox refuses what no decoder has to do, other than by a signal."""


def live(start: Start, entry: Entry, pipe: int, limits: Limits) -> NoReturn:
    """Everything that a child does, from the fork to its end."""
    status = 1
    try:
        _leave_zygote(pipe)
        folder = Path(start.folder)
        os.chdir(folder)
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
        if lacking := confine(folder, limits):
            _say(Tag.LACKING, msgspec.json.encode(lacking))
        _say(*_work(entry, start.job))
        status = 0
    finally:
        os._exit(status)


def _leave_zygote(pipe: int) -> None:
    zygote = os.getppid()
    os.setsid()
    linux.die_with_parent(signal.SIGKILL)
    if os.getppid() != zygote or zygote == 1:
        os._exit(1)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.dup2(pipe, _PIPE)
    os.closerange(_PIPE + 1, os.sysconf("SC_OPEN_MAX"))


def _work(entry: Entry, job: bytes) -> tuple[Tag, bytes]:
    try:
        return Tag.RESULT, entry(job, lambda progress: _say(Tag.PROGRESS, progress))
    except ProcessingError as error:
        failed = Failed(code=error.code, detail=error.detail, evidence=error.evidence[-_MAX_EVIDENCE:])
    except MemoryError:
        failed = Failed(code=FailureCode.OUT_OF_MEMORY, evidence="MemoryError")
    except OSError as error:
        code = FailureCode.WORKER_CRASHED if error.errno in _CONFINED else FailureCode.INTERNAL
        failed = Failed(code=code, evidence=traceback.format_exc()[-_MAX_EVIDENCE:])
    except Exception:
        failed = Failed(code=FailureCode.INTERNAL, evidence=traceback.format_exc()[-_MAX_EVIDENCE:])
    return Tag.FAILED, msgspec.json.encode(failed)


def _say(tag: Tag, content: bytes) -> None:
    frame = memoryview(FRAME_HEADER.pack(tag, len(content)) + content)
    while frame:
        frame = frame[os.write(_PIPE, frame) :]
