"""Threads for what may wait for ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

R = TypeVar("R")


def on_own_thread(work: Callable[[], R]) -> asyncio.Future[R]:
    """What `work` returns, from a thread of its own, which does not keep the process from ending.

    The few threads of asyncio's pool are everybody's: some that wait for somebody else would hold up all uploads.
    """
    future: Future[R] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="mediafleet-waiting", daemon=True).start()
    return asyncio.wrap_future(future)
