"""Files that misbehave: a worker plugin whose decoder does what a file of the form `POISON:<deed>` says."""

from __future__ import annotations

import ctypes
import io
import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from PIL import Image

from mediafleet_core.failures import FailureCode, ProcessingError
from mediafleet_core.media_types import MediaKind
from mediafleet_workers.pipeline.job import PipelineJob, PipelineResult, Report, StepProgress
from mediafleet_workers.pipeline.registry import register

MAGIC = b"POISON:"


def crash() -> None:
    """SIGSEGV."""
    ctypes.string_at(0)


def spin() -> None:
    """A loop of Python code without end."""
    while True:
        pass


def hold() -> None:
    """A loop in C that never lets go of the interpreter."""
    all(itertools.repeat(True))


def decoding() -> None:
    """Native decoding without end."""
    file = io.BytesIO()
    Image.effect_noise((2000, 2000), 60).save(file, "PNG")
    while True:
        Image.open(file).load()


def encoding() -> None:
    """Native encoding, seconds in one call."""
    image = Image.effect_noise((2000, 2000), 60).convert("RGB")
    while True:
        image.save(io.BytesIO(), "WEBP", method=6)


def hog() -> None:
    """Memory, ever more; Python notices."""
    hoard = []
    while True:
        hoard.append(bytearray(16 << 20))


def gorge() -> None:
    """Nearly all of the memory allowed, then SIGKILL, as the kernel does when a container is full."""
    hoard = []
    try:
        while True:
            hoard.append(bytearray(4 << 20))
    except MemoryError:
        os.kill(os.getpid(), 9)


def fail() -> None:
    """A known failure."""
    raise ProcessingError(FailureCode.CORRUPT_MEDIA, "a broken file")


def wonder() -> None:
    """An error that nobody expects."""
    raise ZeroDivisionError


def shout() -> None:
    """A message larger than any may be."""
    os.write(3, b"R\xff\xff\xff\xff" + bytes(65536))
    time.sleep(60)


def babble() -> None:
    """No message at all."""
    os.write(3, b"?\x00\x00\x00\x01x")
    time.sleep(60)


def chatter() -> None:
    """Small messages without end."""
    while True:
        os.write(3, b"P\x00\x00\x00\x02{}" * 1000)


def quiet() -> None:
    """Closes the pipe and stays."""
    os.close(3)
    time.sleep(60)


def sleep() -> None:
    """A minute of nothing."""
    time.sleep(60)


def nap() -> None:
    """Three seconds of nothing; then all is well."""
    time.sleep(3)


def leave() -> None:
    """Ends without a word."""
    os._exit(0)


DEEDS: dict[str, Callable[[], None]] = {
    deed.__name__: deed
    for deed in (
        crash,
        spin,
        hold,
        decoding,
        encoding,
        hog,
        gorge,
        fail,
        wonder,
        shout,
        babble,
        chatter,
        quiet,
        sleep,
        nap,
        leave,
    )
}


def rest(seconds: float) -> None:
    """So long nothing; then all is well."""
    time.sleep(seconds)


NUMBERED: dict[str, Callable[[float], None]] = {"rest": rest}


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
    """A sandbox entry of its own: the job is a deed, `escapes`, `environ`, or a word to write into a file."""
    word = job.decode()
    report(b'"started"')
    if word in DEEDS:
        DEEDS[word]()
    if word == "escapes":
        return msgspec.json.encode(escapes())
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
