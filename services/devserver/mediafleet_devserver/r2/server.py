"""The endpoint behind a threaded HTTP server on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from mediafleet_devserver.r2.endpoint import R2Endpoint

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

HOST = "127.0.0.1"


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Says nothing: presigned URLs are secrets."""

    def send_response(self, code: int, message: str | None = None) -> None:
        """Without a Date of its own: the endpoint's clock tells it."""
        self.send_response_only(code, message)

    def connection_dropped(self, error: BaseException, environ: WSGIEnvironment | None = None) -> None:
        """Waits for no further request."""
        self.close_connection = True


def server_of(endpoint: R2Endpoint, port: int) -> BaseWSGIServer:
    """Bound, and not serving yet; port 0 takes one that is free. A thread for each connection."""
    return make_server(HOST, port, endpoint, threaded=True, request_handler=_Quiet)


@contextmanager
def serving(endpoint: R2Endpoint, port: int = 0) -> Iterator[str]:
    """Serves from a thread of this process; gives the base URL."""
    server = server_of(endpoint, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="r2")
    thread.start()
    try:
        yield f"http://{HOST}:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
