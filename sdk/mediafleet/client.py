"""The synchronous client: the asynchronous one on a thread of its own, so that there is one way things are done."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from functools import wraps
from inspect import signature
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import grpc

from mediafleet.aio import AsyncClient
from mediafleet.gateways import Token

P = ParamSpec("P")
R = TypeVar("R")


class _LoopThread:
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


def _call(
    method: Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Client, P], R]:
    @wraps(method)
    def call(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._thread.run(method(self._client, *args, **kwargs))

    return call


def _stream(
    method: Callable[Concatenate[AsyncClient, P], AsyncGenerator[R, None]],
) -> Callable[Concatenate[Client, P], Generator[R, None, None]]:
    @wraps(method)
    def stream(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Generator[R, None, None]:
        items = method(self._client, *args, **kwargs)
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
    stream.__signature__ = asynchronous.replace(return_annotation=returned)  # type: ignore[attr-defined]
    return stream


async def _signalling(work: Coroutine[Any, Any, R], ended: threading.Event) -> R:
    try:
        return await work
    finally:
        ended.set()


async def _next(items: AsyncGenerator[R, None]) -> R:
    return await anext(items)


class Client:
    """Sends files in and tells what becomes of them; see `AsyncClient`, which has the same methods.

    `upload_many`, `retry_many`, `watch`, `watch_many` and `list` are plain iterators here. Progress callbacks are
    called on the client's thread and must not call the client. Safe to share between threads; best used as
    `with Client(...)`.
    """

    def __init__(
        self,
        target: str = "",
        *,
        targets: Sequence[str] = (),
        token: Token = "",
        timeout: float = 60.0,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        """Names one gateway, or several of which the next is taken when one is away.

        A target is `host:port`, or `https://host:port` for TLS with the system's certificates; `credentials` bring
        others. `token` may be a function that gives a fresh one for each call. `timeout` is the seconds that one try
        may take, and that trouble without any progress is borne. Nothing connects yet.
        """
        self._client = AsyncClient(target, targets=targets, token=token, timeout=timeout, credentials=credentials)
        self._thread = _LoopThread()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends every call and connection; may be repeated."""
        if not self._thread.closed:
            self._thread.run(self._client.close())
            self._thread.close()

    @property
    def target(self) -> str:
        """The gateway that is talked to now, as it was named."""
        return self._client.target

    upload = _call(AsyncClient.upload)
    upload_many = _stream(AsyncClient.upload_many)
    watch = _stream(AsyncClient.watch)
    watch_many = _stream(AsyncClient.watch_many)
    wait = _call(AsyncClient.wait)
    get = _call(AsyncClient.get)
    list = _stream(AsyncClient.list)
    update = _call(AsyncClient.update)
    cancel = _call(AsyncClient.cancel)
    retry = _call(AsyncClient.retry)
    retry_many = _stream(AsyncClient.retry_many)
    delete = _call(AsyncClient.delete)
    download_url = _call(AsyncClient.download_url)
    usage = _call(AsyncClient.usage)
    fleet = _call(AsyncClient.fleet)
    pause_queue = _call(AsyncClient.pause_queue)
    resume_queue = _call(AsyncClient.resume_queue)
