"""Synchronous twins of asynchronous classes: the same methods, run by an event loop on a thread of its own."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import CancelledError, Future, wait
from contextlib import suppress
from functools import partial, wraps
from inspect import signature
from types import AsyncGeneratorType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

A = TypeVar("A", covariant=True)
P = ParamSpec("P")
R = TypeVar("R")

_CLOSED = "the client is closed"


class UnusableError(RuntimeError):
    """The client is closed, or its own thread asks, which cannot wait for itself."""


class LoopThread:
    """An event loop that runs on its own thread until it is closed. Threads may share it."""

    def __init__(self) -> None:
        self.closed = False
        self._loop = asyncio.new_event_loop()
        self._asked_to_end = asyncio.Event()
        self._last: Callable[[], Coroutine[Any, Any, object]] = _nothing
        self._waited_for = set[_Running[Any]]()
        self._thread = threading.Thread(target=self._serve, name="mediafleet-client", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        running = _Running(work)
        # Known before the look at `closed`: what is told too late to begin is refused by the thread that ends.
        self._waited_for.add(running)
        try:
            self._check()
            self._tell(partial(self._start, running))
            return running.answer.result()
        except BaseException as error:
            # Ctrl-C, at whichever of these lines: what nobody waits for any more is stopped, and has stopped when this
            # returns. The loop keeps the order of what it is told, so that it has started by then or never does.
            if isinstance(error, UnusableError):
                work.close()
            elif not running.answer.done():
                self._tell(running.stop)
                wait([running.answer], 1.0)
            if isinstance(error, CancelledError) and self.closed:
                raise UnusableError(_CLOSED) from None
            raise
        finally:
            self._waited_for.discard(running)

    def close(self, last: Callable[[], Coroutine[Any, Any, object]] | None = None) -> None:
        """Runs `last`, ends what other threads wait for, and returns when all has ended; may be repeated."""
        if not self.closed:
            self._check()
            self._last = last or _nothing
            self.closed = True
        self._tell(self._asked_to_end.set)
        self._thread.join()

    def _check(self) -> None:
        if threading.current_thread() is self._thread:
            raise UnusableError("a progress callback must not use its own client")
        if self.closed:
            raise UnusableError(_CLOSED)

    def _tell(self, what: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop is closed, and nobody waits for it any more
            self._loop.call_soon_threadsafe(what)

    def _start(self, running: _Running[Any]) -> None:
        if self.closed:
            running.refuse()
        else:
            running.start()

    def _serve(self) -> None:
        self._complete(self._asked_to_end.wait())
        self._complete(self._last())
        self._complete(_end_all())
        self._loop.close()
        for running in self._waited_for.copy():
            running.refuse()

    def _complete(self, work: Coroutine[Any, Any, object]) -> None:
        task = self._loop.create_task(work)
        while not task.done():
            # A callback's own: asyncio tells whoever waits for its task, and the loop besides.
            with suppress(KeyboardInterrupt, SystemExit):
                self._loop.run_until_complete(task)


class _Running(Generic[R]):
    """A coroutine that runs on a loop, and its answer for another thread, which alone makes it."""

    def __init__(self, work: Coroutine[Any, Any, R]) -> None:
        self.answer: Future[R] = Future()
        self._work = work
        self._task: asyncio.Task[R] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._work)
        self._task.add_done_callback(self._tell)

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        elif not self.answer.done():
            self._work.close()
            self.answer.set_exception(CancelledError())

    def refuse(self) -> None:
        if self._task is None and not self.answer.done():
            self._work.close()
            self.answer.set_exception(UnusableError(_CLOSED))

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
        with suppress(UnusableError):  # then the loop ends it
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


async def _nothing() -> None:
    """The last that a loop does for nobody."""
