"""A process's metrics page, and where it listens. Metrics themselves sit beside what they measure."""

from __future__ import annotations

import socket
from importlib.metadata import version
from ipaddress import ip_address
from threading import Thread
from typing import NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import Gauge, disable_created_metrics, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from mediafleet_core.telemetry.health import Health, beside

# A `_created` series for each counter would double the page and tell what a reset tells already.
disable_created_metrics()  # type: ignore[no-untyped-call]

BUILD_INFO = Gauge("mediafleet_build_info", "1, labelled with what runs here.", ["version", "component"])


class Address(NamedTuple):
    """Where something listens; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        """host:port, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def address(text: str) -> Address:
    """From host:port, an IPv6 host in brackets. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise ValueError("must be host:port, such as 127.0.0.1:8070")
    return Address(host, int(port))


_POLL = 0.1


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """A scrape is no event."""


class MetricsPage:
    """The page over HTTP, in a thread of its own, until `close`."""

    def __init__(self, where: Address, health: Health | None = None) -> None:
        """Listens at once; raises OSError when it cannot. With `health` the page answers probes, too."""
        # As prometheus_client.start_http_server, which takes half a second to stop.
        family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
        kind = type("Server", (ThreadingWSGIServer,), {"address_family": family})
        app = make_wsgi_app() if health is None else beside(make_wsgi_app(), health)
        self._server: WSGIServer = make_server(where.host, where.port, app, kind, handler_class=_Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(_POLL,), daemon=True, name="metrics")
        self._thread.start()
        self.address = Address(where.host, self._server.server_port)

    def close(self) -> None:
        """Stop listening; returns when the thread has ended."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve(where: str, component: str, health: Health | None = None) -> MetricsPage:
    """Serve this process's metrics at `where` (host:port), `build_info` of `component` among them, and its probes."""
    BUILD_INFO.labels(version("mediafleet-core"), component).set(1)
    return MetricsPage(address(where), health)
