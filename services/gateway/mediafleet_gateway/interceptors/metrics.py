"""Counts and times every call, under the names that gRPC dashboards know."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from grpc import StatusCode
from prometheus_client import Counter

from mediafleet_gateway import metrics
from mediafleet_gateway.interceptors.around import Around, Context, Handler
from mediafleet_gateway.methods import UNKNOWN, Method, Methods


class Metrics(Around):
    """The outermost interceptor: it sees the status that the caller gets."""

    def __init__(self, methods: Methods) -> None:
        """Creates every series, so that none is missing before its first call."""
        super().__init__(methods)
        for method in [*methods.values(), UNKNOWN]:
            _create_series(method)

    @asynccontextmanager
    async def around(self, method: Method, context: Context) -> AsyncIterator[None]:
        """Counts the start and the end."""
        in_flight = metrics.IN_FLIGHT.labels(_label(method))
        metrics.STARTED.labels(*method).inc()
        in_flight.inc()
        started = time.perf_counter()
        cancelled = False
        try:
            yield
        except asyncio.CancelledError:
            cancelled = True
            raise
        finally:
            in_flight.dec()
            if method.type == "unary":
                metrics.HANDLING.labels(*method).observe(time.perf_counter() - started)
            metrics.HANDLED.labels(*method, _code(context, cancelled).name).inc()

    def wrap(self, method: Method, handler: Handler) -> Handler:
        """As `Around`; messages are counted where they are parsed and serialised."""
        wrapped = super().wrap(method, handler)
        counted: Handler = wrapped._replace(  # type: ignore[attr-defined]
            request_deserializer=_counting(metrics.RECEIVED.labels(*method), wrapped.request_deserializer),
            response_serializer=_counting(metrics.SENT.labels(*method), wrapped.response_serializer),
        )
        return counted


def _counting(counter: Counter, convert: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    def counted(message: Any) -> Any:
        counter.inc()
        return message if convert is None else convert(message)

    return counted


def _code(context: Context, cancelled: bool) -> StatusCode:
    if cancelled:
        # None without a deadline, 0 past it.
        return StatusCode.DEADLINE_EXCEEDED if context.time_remaining() == 0 else StatusCode.CANCELLED
    return context.code() or StatusCode.OK


def _label(method: Method) -> str:
    return "unknown" if method is UNKNOWN else method.path.removeprefix("/")


def _create_series(method: Method) -> None:
    metrics.STARTED.labels(*method)
    metrics.RECEIVED.labels(*method)
    metrics.SENT.labels(*method)
    metrics.IN_FLIGHT.labels(_label(method))
    if method.type == "unary":
        metrics.HANDLING.labels(*method)
    for code in StatusCode:
        metrics.HANDLED.labels(*method, code.name)
