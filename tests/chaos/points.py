"""The steps of an upload's life at which something may go wrong, and what may."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

import msgspec

from mediafleet_core.processing import DEFAULT_SIZES
from tests.fleet import GATEWAY, WORKER


class Port(StrEnum):
    """What a step goes to."""

    LEDGER = "ledger"
    STORE = "store"
    BELLS = "bells"
    SANDBOX = "sandbox"


class Sent(StrEnum):
    """How the file comes: in one call, in parts and a rest, in parts alone, in two streams; straight to the storage; as
    an object that lies there, small or large.

    The first of two streams ends in the middle of a part, by a half-close.
    """

    WHOLE = "whole"
    PARTS = "parts"
    EVEN = "even"
    TWICE = "twice"
    DIRECT = "direct"
    IMPORT = "import"
    LARGE_IMPORT = "large import"


class Fault(StrEnum):
    """What goes wrong: before the step, or when it is done but nobody has heard of it yet."""

    KILL = "kill"
    """SIGKILL of the process that is at the step."""
    THRICE = "thrice"
    """Three deliveries, a step of the ledger under one name: before means all at once, after means two late repeats."""
    PAUSE = "pause"
    """SIGSTOP of that process; it wakes up when others have done the work."""
    CUT = "cut"
    """Every connection to Redis breaks; a step of the ledger whose answer was lost is repeated, as the client does."""
    OUTAGE = "outage"
    """SIGKILL of Redis, which is back after longer than the client's repeats take."""


class Side(StrEnum):
    """Where the fault is, seen from the step."""

    BEFORE = "before"
    AFTER = "after"


STREAMS = frozenset({"read", "list_parts"})
"""Steps that answer bit by bit."""

COPIED = "copied"
"""Not a method: a part of a copy that has more is there."""


class Point(NamedTuple):
    """A step: who takes it, by which method of which port, with which arguments."""

    name: str
    role: str
    port: Port
    method: str
    sent: Sent = Sent.WHOLE
    which: Callable[..., bool] = lambda *_, **__: True
    waits_in: str = ""
    """Where something must be due, by time, for the step to mean anything: those who wait take it in vain, too."""

    @property
    def faults(self) -> list[Fault]:
        """Those that mean something here."""
        delivered = self.port is not Port.SANDBOX and self.method not in STREAMS | {COPIED}
        return [fault for fault in Fault if delivered or fault is not Fault.THRICE]


class Armed(msgspec.Struct, frozen=True):
    """What shall go wrong."""

    point: str
    side: Side
    fault: Fault


def _in_key(text: str) -> Callable[..., bool]:
    return lambda key, *_, **__: text in key


def _opened(is_opened: bool) -> Callable[..., bool]:
    return lambda *_, opened=False, **__: opened is is_opened


def _last(is_last: bool) -> Callable[..., bool]:
    return lambda *_, last=False, **__: last is is_last


POINTS = (
    Point("create and open", GATEWAY, Port.LEDGER, "create", which=_opened(True)),
    Point("put original", GATEWAY, Port.STORE, "put"),
    Point("finish", GATEWAY, Port.LEDGER, "finish"),
    Point("create", GATEWAY, Port.LEDGER, "create", Sent.PARTS, _opened(False)),
    Point("open", GATEWAY, Port.LEDGER, "open_write", Sent.PARTS),
    Point("begin multipart", GATEWAY, Port.STORE, "begin_multipart", Sent.PARTS),
    Point("attach multipart", GATEWAY, Port.LEDGER, "attach_multipart", Sent.PARTS),
    Point("put part", GATEWAY, Port.STORE, "put_part", Sent.PARTS),
    Point("record part", GATEWAY, Port.LEDGER, "record_part", Sent.PARTS, _last(False)),
    Point("record last part", GATEWAY, Port.LEDGER, "record_part", Sent.PARTS, _last(True)),
    Point("seal", GATEWAY, Port.LEDGER, "seal", Sent.EVEN),
    Point("complete multipart", GATEWAY, Port.STORE, "complete_multipart", Sent.PARTS),
    Point("finish parts", GATEWAY, Port.LEDGER, "finish", Sent.PARTS),
    Point("put tail", GATEWAY, Port.STORE, "put", Sent.TWICE, _in_key("/tail/")),
    Point("record tail", GATEWAY, Port.LEDGER, "record_tail", Sent.TWICE),
    Point("read tail", GATEWAY, Port.STORE, "read", Sent.TWICE),
    Point("bell", GATEWAY, Port.BELLS, "ring"),
    Point("claim", WORKER, Port.LEDGER, "claim", waits_in="waiting:IMAGE"),
    Point("fetch", WORKER, Port.STORE, "read"),
    Point("process", WORKER, Port.SANDBOX, "run"),
    *(
        Point(f"put {size.name}", WORKER, Port.STORE, "put_file", which=_in_key(f"/{size.name}."))
        for size in DEFAULT_SIZES
    ),
    Point("renew", WORKER, Port.LEDGER, "renew"),
    Point("commit", WORKER, Port.LEDGER, "commit"),
    Point("put manifest", WORKER, Port.STORE, "put"),
    Point("note manifest", WORKER, Port.LEDGER, "manifest_written"),
)
"""Steps on the way of an upload."""

AT_STORAGE = (
    Point("create direct", GATEWAY, Port.LEDGER, "create", Sent.DIRECT),
    Point("open direct", GATEWAY, Port.LEDGER, "open_direct", Sent.DIRECT),
    Point("begin direct", GATEWAY, Port.STORE, "begin_multipart", Sent.DIRECT),
    Point("attach direct", GATEWAY, Port.LEDGER, "attach_direct", Sent.DIRECT),
    Point("sign part", GATEWAY, Port.STORE, "sign_part", Sent.DIRECT),
    Point("list parts", GATEWAY, Port.STORE, "list_parts", Sent.DIRECT),
    Point("seal direct", GATEWAY, Port.LEDGER, "seal", Sent.DIRECT),
    Point("complete direct", GATEWAY, Port.STORE, "complete_multipart", Sent.DIRECT),
    Point("finish direct", GATEWAY, Port.LEDGER, "finish", Sent.DIRECT),
    Point("create import", GATEWAY, Port.LEDGER, "create", Sent.IMPORT),
    Point("hold import", GATEWAY, Port.LEDGER, "hold_import", Sent.IMPORT),
    Point("copy", GATEWAY, Port.STORE, "copy", Sent.IMPORT),
    Point("finish import", GATEWAY, Port.LEDGER, "finish", Sent.IMPORT),
    Point("copy in parts", GATEWAY, Port.STORE, "copy", Sent.LARGE_IMPORT),
    Point("copy a part", GATEWAY, Port.STORE, COPIED, Sent.LARGE_IMPORT, lambda size: size > 0),
    Point("finish large import", GATEWAY, Port.LEDGER, "finish", Sent.LARGE_IMPORT),
)
"""Steps on the way of an upload whose bytes pass no gateway."""

CHORES = (
    Point("expire", WORKER, Port.LEDGER, "expire", waits_in="expiry"),
    Point("find sweeps", WORKER, Port.LEDGER, "sweeps", waits_in="sweeps"),
    Point("abort multipart", WORKER, Port.STORE, "abort_multipart"),
    Point("delete objects", WORKER, Port.STORE, "delete"),
    Point("note sweep", WORKER, Port.LEDGER, "swept"),
    Point("end lost lease", WORKER, Port.LEDGER, "end_lost_leases", waits_in="running:AUDIO"),
    Point("put late manifest", WORKER, Port.STORE, "put"),
    Point("note late manifest", WORKER, Port.LEDGER, "manifest_written"),
)
"""Steps of housekeeping."""

EVERY = (*POINTS, *AT_STORAGE, *CHORES)
