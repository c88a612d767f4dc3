"""Synchronous twins of asynchronous classes: the same methods, run by an event loop on a thread of its own."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import CancelledError, Future, wait
from functools import wraps
from inspect import signature
from types import AsyncGeneratorType
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
        self.closed = False

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a progress callback must not use its own client")
        if self.closed:
            work.close()
            raise RuntimeError("the client is closed")
        running = _Running(work)
        try:
            self._loop.call_soon_threadsafe(running.start)
            return running.answer.result()
        except BaseException:
            # Ctrl-C, at whichever of these lines: what nobody waits for any more is stopped, and has stopped when this
            # returns. The loop keeps the order of what it is told, so that it has started by then or never does.
            if not running.answer.done():
                self._loop.call_soon_threadsafe(running.stop)
                wait([running.answer], 1.0)
            raise

    def close(self) -> None:
        if not self.closed:
            self.run(_end_all())
            self.closed = True
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


class _Running(Generic[R]):
    """A coroutine that runs on a loop, and its answer for another thread; `start` and `stop` are called on the loop."""

    def __init__(self, work: Coroutine[Any, Any, R]) -> None:
        self.answer: Future[R] = Future()
        self._work = work
        self._task: asyncio.Task[R] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._work)
        self._task.add_done_callback(self._tell)

    def stop(self) -> None:
        if self._task is None:
            self._work.close()
            self.answer.set_exception(CancelledError())
        else:
            self._task.cancel()

    def _tell(self, task: asyncio.Task[R]) -> None:
        if task.cancelled():
            self.answer.set_exception(CancelledError())
        elif error := task.exception():
            self.answer.set_exception(error)
        else:
            self.answer.set_result(task.result())


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
        return _plain(method(self._asynchronous, *args, **kwargs), self._thread)

    asynchronous = signature(method)
    returned = re.sub(r"AsyncGenerator\[(.*), None\]", r"Generator[\1, None, None]", asynchronous.return_annotation)
    twin.__signature__ = asynchronous.replace(return_annotation=returned)  # type: ignore[attr-defined]
    return twin


def _plain(items: AsyncGenerator[R, None], thread: LoopThread) -> Generator[R, None, None]:
    try:
        while True:
            try:
                yield thread.run(_next(items))
            except StopAsyncIteration:
                return
    finally:
        if not thread.closed:
            thread.run(_close(items))


async def _next(items: AsyncGenerator[R, None]) -> R:
    return await anext(items)


async def _close(items: AsyncGenerator[R, None]) -> None:
    if isinstance(items, AsyncGeneratorType) and items.ag_running:
        return  # It is being cancelled, for longer than was waited for, and ends by itself.
    await items.aclose()


async def _end_all() -> None:
    """Waits a moment for what is ending on the loop, and ends the rest: what a second Ctrl-C left behind."""
    if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
        _, late = await asyncio.wait(tasks, timeout=1.0)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
