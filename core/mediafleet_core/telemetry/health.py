"""Whether a process lives and takes work, told over HTTP beside its metrics to who starts it again or waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from typing import Any

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Health:
    """Of the process whose event loop is running now. It asks neither Redis nor the storage: those are away for all."""

    def __init__(self, patience: float = 2.0) -> None:
        """Alive, and not ready yet. `patience` is the time in seconds in which the loop must get to a callback."""
        self.ready = False
        """Whether it takes work."""
        self._loop, self._patience = asyncio.get_running_loop(), patience

    @property
    def alive(self) -> bool:
        """Whether the event loop answers; asked from another thread."""
        heard = threading.Event()
        self._loop.call_soon_threadsafe(heard.set)
        return heard.wait(self._patience)


def beside(page: WSGIApp, health: Health) -> WSGIApp:
    """`page`, and two paths that answer 200 or 503: `/livez` while `health` is alive, `/readyz` while it is ready."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/livez":
                well = health.alive
            case "/readyz":
                well = health.ready and health.alive
            case _:
                return page(environ, start_response)
        start_response("200 OK" if well else "503 Service Unavailable", [("Content-Type", "text/plain")])
        return [b"yes\n" if well else b"no\n"]

    return app
