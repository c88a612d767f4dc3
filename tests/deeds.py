"""What files of the tests do to their decoders, by name."""

from __future__ import annotations

import ctypes
import io
import itertools
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from PIL import Image

from mediafleet_core.failures import FailureCode, ProcessingError

DEEDS: dict[str, Callable[[], None]] = {}


def _deed(function: Callable[[], None]) -> None:  # known by its name in the table, and not otherwise
    DEEDS[function.__name__] = function


@_deed
def crash() -> None:
    """SIGSEGV."""
    ctypes.string_at(0)


@_deed
def spin() -> None:
    """A loop of Python code without end."""
    while True:
        pass


@_deed
def hold() -> None:
    """A loop in C that never lets go of the interpreter."""
    all(itertools.repeat(True))


@_deed
def decoding() -> None:
    """Native decoding without end."""
    file = io.BytesIO()
    Image.effect_noise((2000, 2000), 60).save(file, "PNG")
    while True:
        Image.open(file).load()


@_deed
def encoding() -> None:
    """Native encoding, seconds in one call."""
    image = Image.effect_noise((2000, 2000), 60).convert("RGB")
    while True:
        image.save(io.BytesIO(), "WEBP", method=6)


@_deed
def hog() -> None:
    """Memory, ever more; Python notices."""
    hoard = []
    while True:
        hoard.append(bytearray(16 << 20))


@_deed
def gorge() -> None:
    """Nearly all of the memory allowed, then SIGKILL, as the kernel does when a container is full."""
    hoard = []
    try:
        while True:
            hoard.append(bytearray(4 << 20))
    except MemoryError:
        os.kill(os.getpid(), 9)


@_deed
def fail() -> None:
    """A known failure."""
    raise ProcessingError(FailureCode.CORRUPT_MEDIA, "a broken file")


@_deed
def wonder() -> None:
    """An error that nobody expects."""
    raise ZeroDivisionError


@_deed
def shout() -> None:
    """A message larger than any may be."""
    os.write(3, b"R\xff\xff\xff\xff" + bytes(65536))
    time.sleep(60)


@_deed
def babble() -> None:
    """No message at all."""
    os.write(3, b"?\x00\x00\x00\x01x")
    time.sleep(60)


@_deed
def chatter() -> None:
    """Small messages without end."""
    while True:
        os.write(3, b"P\x00\x00\x00\x02{}" * 1000)


@_deed
def quiet() -> None:
    """Closes the pipe and stays."""
    os.close(3)
    time.sleep(60)


@_deed
def tire() -> None:
    """Half a second of nothing, and then a crash."""
    time.sleep(0.5)
    DEEDS["crash"]()


@_deed
def leave() -> None:
    """Ends without a word."""
    os._exit(0)


@_deed
def sleep() -> None:
    """A minute of nothing."""
    time.sleep(60)


@_deed
def nap() -> None:
    """Three seconds of nothing; then all is well."""
    time.sleep(3)


@_deed
def allocate() -> None:
    """Eight GiB at once."""
    bytearray(8 << 30)


@_deed
def bomb() -> None:
    """Forks and forks, whatever it is told; a child that there should not be does nothing."""
    for _ in range(1000):
        with suppress(PermissionError):
            if os.fork() == 0:
                os._exit(0)
    os.fork()


@_deed
def call() -> None:
    """A connection to somewhere."""
    with socket.socket() as out:
        out.connect(("127.0.0.1", 9))


@_deed
def spy() -> None:
    """Whose folders there are beside its own."""
    list(Path("..").iterdir())


@_deed
def trespass() -> None:
    """A file outside its folder."""
    Path("/tmp/trespassed").touch()


@_deed
def fill() -> None:
    """A file without end."""
    with Path("large").open("wb") as file:
        while True:
            file.write(bytes(1 << 20))


@_deed
def clutch() -> None:
    """Open files without end."""
    while True:
        os.open("original", os.O_RDONLY)


@_deed
def murder() -> None:
    """SIGKILL to the parent."""
    os.kill(os.getppid(), 9)


def rest(seconds: float) -> None:
    """So long nothing; then all is well."""
    time.sleep(seconds)


def burn(seconds: float) -> None:
    """Legal work of so much CPU time."""
    while time.process_time() < seconds:
        pass


NUMBERED: dict[str, Callable[[float], None]] = {"rest": rest, "burn": burn}
