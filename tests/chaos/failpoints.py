"""Failpoints: what makes something go wrong at a step of `tests.chaos.points`. The product knows nothing of them.

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
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import redis
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker

from mediafleet_core.media_types import MediaKind
from mediafleet_core.queue import ACTOR_NAME, DramatiqQueue, queue_name
from tests.chaos.points import COPIED, EVERY, STREAMS, Armed, Fault, Point, Port, Side

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
                point = _point(armed)
                here = (point.role, point.port, point.method) == (self._role, port, method)
                if here and point.which(*args, **kwargs):
                    return armed
        return None

    def is_idle(self, armed: Armed) -> bool:
        """Whether nothing is due yet for the step at which it shall happen."""
        point = _point(armed)
        if not point.waits_in:
            return False
        with redis.Redis.from_url(self._redis_url) as client:
            seconds, micros = client.time()
            return not client.zcount(f"mf:{point.waits_in}", "-inf", seconds * 1000 + micros // 1000)

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


def _point(armed: Armed) -> Point:
    return next(point for point in EVERY if point.name == armed.point)


class _Wrapped:
    """A port whose steps may fail."""

    def __init__(self, points: Failpoints, port: Port, target: object) -> None:
        self._points, self._port, self._target = points, port, target

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not any((point.port, point.method) == (self._port, name) for point in EVERY):
            return found
        if name == "copy":
            found = partial(self._copy, found)
        return partial(self._stream if name in STREAMS else self._step, name, found)

    async def _step(self, method: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        armed = self._points.armed(self._port, method, *args, **kwargs)
        if armed is None:
            return await call(*args, **kwargs)
        if self._points.is_idle(armed):  # not even tried, or what falls due just then would be done without the fault
            return None if method == "claim" else []
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

    async def _copy(self, call: Callable[..., Any], *args: Any, copied: Callable[[int], None], **kwargs: Any) -> Any:
        """With the failpoints between its parts."""

        def told(size: int) -> None:
            armed = self._points.armed(self._port, COPIED, size)
            if armed and armed.side is Side.BEFORE and self._points.happens():
                self._points.strike(armed)
            copied(size)
            if armed and armed.side is Side.AFTER and self._points.happens():
                self._points.strike(armed)

        return await call(*args, copied=told, **kwargs)

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
