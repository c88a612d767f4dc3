"""Synchronous twins of asynchronous classes: the same methods, run by an event loop on a thread of its own."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from functools import wraps
from inspect import signature
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

A = TypeVar("A", covariant=True)
P = ParamSpec("P")
R = TypeVar("R")


class LoopThread:
    """An event loop that runs on its own thread until it is closed."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mediafleet-client", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        return self._loop.is_closed()

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a progress callback must not use its own client")
        if self.closed:
            work.close()
            raise RuntimeError("the client is closed")
        ended = threading.Event()
        future = asyncio.run_coroutine_threadsafe(_signalling(work, ended), self._loop)
        try:
            return future.result()
        except BaseException:
            # Ctrl-C: what nobody waits for any more is stopped, and has stopped when this returns.
            if future.cancel():
                ended.wait(1.0)
            raise

    def close(self) -> None:
        if not self.closed:
            self.run(self._loop.shutdown_asyncgens())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


class Synchronous(Generic[A]):
    """An asynchronous object and the thread that runs its methods."""

    def __init__(self, asynchronous: A, thread: LoopThread) -> None:
        self._asynchronous = asynchronous
        self._thread = thread


def call(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Synchronous[A], P], R]:
    """The method that waits for the answer of an asynchronous one."""

    @wraps(method)
    def twin(self: Synchronous[A], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._thread.run(method(self._asynchronous, *args, **kwargs))

    return twin


def stream(
    method: Callable[Concatenate[A, P], AsyncGenerator[R, None]],
) -> Callable[Concatenate[Synchronous[A], P], Generator[R, None, None]]:
    """The plain iterator of an asynchronous one; ending it ends what is on its way."""

    @wraps(method)
    def twin(self: Synchronous[A], /, *args: P.args, **kwargs: P.kwargs) -> Generator[R, None, None]:
        items = method(self._asynchronous, *args, **kwargs)
        try:
            while True:
                try:
                    yield self._thread.run(_next(items))
                except StopAsyncIteration:
                    return
        finally:
            if not self._thread.closed:
                self._thread.run(items.aclose())

    asynchronous = signature(method)
    returned = re.sub(r"AsyncGenerator\[(.*), None\]", r"Generator[\1, None, None]", asynchronous.return_annotation)
    twin.__signature__ = asynchronous.replace(return_annotation=returned)  # type: ignore[attr-defined]
    return twin


async def _signalling(work: Coroutine[Any, Any, R], ended: threading.Event) -> R:
    try:
        return await work
    finally:
        ended.set()


async def _next(items: AsyncGenerator[R, None]) -> R:
    return await anext(items)
