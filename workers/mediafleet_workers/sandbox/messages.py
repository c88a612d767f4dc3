"""What travels between worker, zygote and child.

Worker and zygote trust each other and exchange JSON in packets. A child is not trusted once it runs: it can only send
frames, each a tag and a length before at most `MAX_FRAME` bytes of JSON, `MAX_SPOKEN` bytes in all.
"""

from __future__ import annotations

import struct
from enum import Enum

import msgspec

from mediafleet_core.failures import FailureCode

MAX_PACKET = 64 * 1024
MAX_FRAME = 256 * 1024
MAX_SPOKEN = 8 * 1024 * 1024

FRAME_HEADER = struct.Struct(">cI")


class Tag(bytes, Enum):
    """What a frame carries."""

    LACKING = b"L"
    PROGRESS = b"P"
    RESULT = b"R"
    FAILED = b"F"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one child may use: memory and file size in bytes, CPU in seconds, open files."""

    memory: int
    cpu: int
    file_size: int
    open_files: int


class Boot(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """First packet: where modules are found, which to load before any child, and what children may use."""

    import_path: tuple[str, ...]
    preload: tuple[str, ...]
    limits: Limits


class Start(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Run `entry` ("module:function") with `job` in a new child; the pipe for its frames comes with the packet."""

    child: int
    folder: str
    entry: str
    job: bytes


class Kill(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """End a child and everything in its session; harmless when it has ended."""

    child: int


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A child is dead and reaped: exit code or minus signal, peak resident memory in bytes, CPU in seconds."""

    child: int
    status: int
    peak_memory: int
    cpu: float


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """Why a child gave up; `detail` for the uploader, `evidence` for operators."""

    code: FailureCode
    detail: str = ""
    evidence: str = ""
