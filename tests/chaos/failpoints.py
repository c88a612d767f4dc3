"""Failpoints: at which step of an upload's life something goes wrong, and what. The product knows nothing of them.

A process of `tests.chaos.process` has its ports wrapped. What a file in the folder names goes wrong once in the whole
fleet, in the process that gets there first, which removes the file: it is the mark that it happened, too.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec
import redis
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker

from mediafleet_core.media_types import MediaKind
from mediafleet_core.processing import DEFAULT_SIZES
from mediafleet_core.queue import ACTOR_NAME, DramatiqQueue, queue_name
from tests.fleet import GATEWAY, WORKER


class Port(StrEnum):
    """What a step goes to."""

    LEDGER = "ledger"
    STORE = "store"
    BELLS = "bells"
    SANDBOX = "sandbox"


class Sent(StrEnum):
    """How the client sends the file: in one call, in parts and a rest, in parts alone."""

    WHOLE = "whole"
    PARTS = "parts"
    EVEN = "even"


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


class Point(NamedTuple):
    """A step: who takes it, by which method of which port, with which arguments."""

    name: str
    role: str
    port: Port
    method: str
    sent: Sent = Sent.WHOLE
    which: Callable[..., bool] = lambda *_, **__: True

    @property
    def faults(self) -> list[Fault]:
        """Those that mean something here."""
        delivered = self.port is not Port.SANDBOX and self.method != "read"
        return [fault for fault in Fault if delivered or fault is not Fault.THRICE]


class Armed(msgspec.Struct, frozen=True):
    """What shall go wrong."""

    point: str
    side: Side
    fault: Fault


def _key_ends(text: str) -> Callable[..., bool]:
    return lambda key, *_, **__: text in key


def _last(is_last: bool) -> Callable[..., bool]:
    return lambda *_, last=False, **__: last is is_last


POINTS = (
    Point("create and open", GATEWAY, Port.LEDGER, "create_open"),
    Point("put original", GATEWAY, Port.STORE, "put"),
    Point("finish", GATEWAY, Port.LEDGER, "finish"),
    Point("create", GATEWAY, Port.LEDGER, "create", Sent.PARTS),
    Point("open", GATEWAY, Port.LEDGER, "open_write", Sent.PARTS),
    Point("begin multipart", GATEWAY, Port.STORE, "begin_multipart", Sent.PARTS),
    Point("attach multipart", GATEWAY, Port.LEDGER, "attach_multipart", Sent.PARTS),
    Point("put part", GATEWAY, Port.STORE, "put_part", Sent.PARTS),
    Point("record part", GATEWAY, Port.LEDGER, "record_part", Sent.PARTS, _last(False)),
    Point("record last part", GATEWAY, Port.LEDGER, "record_part", Sent.PARTS, _last(True)),
    Point("seal", GATEWAY, Port.LEDGER, "seal", Sent.EVEN),
    Point("complete multipart", GATEWAY, Port.STORE, "complete_multipart", Sent.PARTS),
    Point("finish parts", GATEWAY, Port.LEDGER, "finish", Sent.PARTS),
    Point("bell", GATEWAY, Port.BELLS, "ring"),
    Point("claim", WORKER, Port.LEDGER, "claim"),
    Point("fetch", WORKER, Port.STORE, "read"),
    Point("process", WORKER, Port.SANDBOX, "run"),
    *(
        Point(f"put {size.name}", WORKER, Port.STORE, "put_file", which=_key_ends(f"/{size.name}."))
        for size in DEFAULT_SIZES
    ),
    Point("renew", WORKER, Port.LEDGER, "renew"),
    Point("commit", WORKER, Port.LEDGER, "commit"),
    Point("put manifest", WORKER, Port.STORE, "put"),
    Point("note manifest", WORKER, Port.LEDGER, "manifest_written"),
)


_SIGNALS = {Fault.KILL: signal.SIGKILL, Fault.PAUSE: signal.SIGSTOP}
_UNHEARD = (Fault.CUT, Fault.OUTAGE)


class Failpoints:
    """The failpoints of one process."""

    def __init__(self, folder: Path, role: str, redis_url: str) -> None:
        """`folder` is the whole fleet's."""
        self._folder, self._role, self._redis_url = folder, role, redis_url

    def wrap(self, port: Port, target: object) -> Any:
        """`target`, with this process's failpoints before and after its steps."""
        return _Wrapped(self, port, target)

    def queue(self, broker: RedisBroker) -> DramatiqQueue:
        """A queue of bells; its step is to ring unless a bell waits: housekeeping may have rung for the same work."""
        points = self

        class Queue(DramatiqQueue):
            def _enqueue(self, kind: MediaKind) -> None:  # runs in threads
                armed = points.armed(Port.BELLS, "ring", kind)
                if armed and armed.side is Side.BEFORE and points.happens():
                    points.strike(armed)
                    self._again(armed, kind)
                super()._enqueue(kind)
                if armed and armed.side is Side.AFTER and points.happens():
                    points.strike(armed)
                    self._again(armed, kind)

            def _again(self, armed: Armed, kind: MediaKind) -> None:
                for _ in range(3 if armed.fault is Fault.THRICE else 0):
                    bell: Message[None] = Message(queue_name(kind), ACTOR_NAME, (), {}, {})
                    broker.enqueue(bell)

        return Queue(broker)

    def armed(self, port: Port, method: str, *args: Any, **kwargs: Any) -> Armed | None:
        """What is to happen at this step, if anything."""
        for path in self._folder.glob("*.json"):
            with suppress(FileNotFoundError):  # another process was faster
                armed = msgspec.json.decode(path.read_bytes(), type=Armed)
                (point,) = (point for point in POINTS if point.name == armed.point)
                if (point.role, point.port, point.method) == (self._role, port, method) and point.which(
                    *args, **kwargs
                ):
                    return armed
        return None

    def happens(self) -> bool:
        """Whether it is this process that the fault strikes."""
        for path in self._folder.glob("*.json"):
            with suppress(FileNotFoundError):
                path.unlink()
                return True
        return False

    def strike(self, armed: Armed) -> None:
        """Let it happen, as far as it is no matter of repeating the step."""
        if armed.fault in _SIGNALS:
            os.kill(os.getpid(), _SIGNALS[armed.fault])
        with redis.Redis.from_url(self._redis_url) as client:
            if armed.fault is Fault.OUTAGE:
                os.kill(client.info("server")["process_id"], signal.SIGKILL)
            if armed.fault is Fault.CUT:
                for kind in ("normal", "pubsub"):
                    client.client_kill_filter(_type=kind, skipme=True)


class _Wrapped:
    """A port whose steps may fail."""

    def __init__(self, points: Failpoints, port: Port, target: object) -> None:
        self._points, self._port, self._target = points, port, target

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not any((point.port, point.method) == (self._port, name) for point in POINTS):
            return found
        return partial(self._stream if name == "read" else self._step, name, found)

    async def _step(self, method: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        armed = self._points.armed(self._port, method, *args, **kwargs)
        if armed is None or (method == "claim" and not await self._target.due()):  # type: ignore[attr-defined]
            return await call(*args, **kwargs)
        if "op" in inspect.signature(call).parameters:
            kwargs["op"] = kwargs.get("op") or uuid4().hex
        repeat = partial(call, *args, **kwargs)
        if armed.side is Side.BEFORE and self._points.happens():
            self._points.strike(armed)
            if armed.fault is Fault.THRICE:
                return (await asyncio.gather(*(repeat() for _ in range(3))))[0]
        answer = await repeat()
        if armed.side is Side.AFTER and self._points.happens():
            self._points.strike(armed)
            if armed.fault is Fault.THRICE:
                await repeat()
            if armed.fault is Fault.THRICE or (armed.fault in _UNHEARD and self._port is Port.LEDGER):
                answer = await repeat()
        return answer

    async def _stream(
        self, method: str, call: Callable[..., AsyncGenerator[bytes, None]], *args: Any
    ) -> AsyncGenerator[bytes, None]:
        armed = self._points.armed(self._port, method, *args)
        if armed and armed.side is Side.BEFORE and self._points.happens():
            self._points.strike(armed)
        async for chunk in call(*args):
            yield chunk
        if armed and armed.side is Side.AFTER and self._points.happens():
            self._points.strike(armed)
