"""Files that misbehave: a worker plugin whose decoder does what a file of the form `POISON:<deed>` says."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from mediafleet_core.media_types import MediaKind
from mediafleet_workers.pipeline.job import PipelineJob, PipelineResult, Report, StepProgress
from mediafleet_workers.pipeline.registry import register
from tests.deeds import DEEDS, NUMBERED

MAGIC = b"POISON:"


def _refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return True
    return False


def escapes() -> list[str]:
    """Which attempts to get out succeed; each is harmless if it does."""
    attempts: dict[str, Callable[[], object]] = {
        "fork": lambda: os.fork() or os._exit(0),
        "run": lambda: subprocess.run([sys.executable, "-c", ""], check=False),
        "socket": socket.socket,
        "socketpair": socket.socketpair,
        "session": os.setsid,
        "read": lambda: Path("/etc/passwd").read_text(),
        "environment": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
        "write": lambda: Path("/tmp/escaped").touch(),
        "link": lambda: Path("link").symlink_to("/etc/passwd"),
        "kill parent": lambda: os.kill(os.getppid(), 0),
        "kill all": lambda: os.kill(-1, 0),
    }
    return [name for name, attempt in attempts.items() if not _refused(attempt)]


def act(job: bytes, report: Callable[[bytes], None]) -> bytes:
    """A sandbox entry of its own: the job is a deed, `escapes`, `environ`, `read <path>`, or a word to write down."""
    word = job.decode()
    report(b'"started"')
    if word in DEEDS:
        DEEDS[word]()
    if word == "escapes":
        return msgspec.json.encode(escapes())
    if word.startswith("read "):
        Path(word.removeprefix("read ")).read_bytes()
    if word == "environ":
        return msgspec.json.encode(dict(os.environ))
    Path("out").write_text(word)
    return msgspec.json.encode(word)


def decode(job: PipelineJob, head: bytes, report: Report) -> PipelineResult:
    """The handler of such files; an unknown deed is none, and the file is fine.

    A deed with a number is written `POISON:<deed>:<number>`.
    """
    report(StepProgress(step="poison", fraction=0.5))
    name, _, number = head.removeprefix(MAGIC).split(b"\n", 1)[0].decode().partition(":")
    if number:
        NUMBERED[name](float(number))
    elif name in DEEDS:
        DEEDS[name]()
    return PipelineResult(kind=MediaKind.OTHER, content_type="application/octet-stream")


register(lambda head: head.startswith(MAGIC), decode)
