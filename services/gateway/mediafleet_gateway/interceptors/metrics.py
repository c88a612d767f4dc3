"""Counts and times every call, under the names that gRPC dashboards know."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Self

from grpc import StatusCode
from prometheus_client import Counter, Gauge, Histogram

from mediafleet_gateway import metrics
from mediafleet_gateway.interceptors.around import Around, Context, Handler
from mediafleet_gateway.methods import UNKNOWN, Method, Methods


class Metrics(Around):
    """The outermost interceptor: it sees the status that the caller gets."""

    def __init__(self, methods: Methods) -> None:
        """Creates every series, so that none is missing before its first call."""
        super().__init__(methods)
        self._series = {method: _Series.of(method) for method in [*methods.values(), UNKNOWN]}

    @asynccontextmanager
    async def around(self, method: Method, context: Context) -> AsyncIterator[None]:
        """Counts the start and the end."""
        series = self._series[method]
        series.started.inc()
        series.in_flight.inc()
        started = time.perf_counter()
        cancelled = False
        try:
            yield
        except asyncio.CancelledError:
            cancelled = True
            raise
        finally:
            series.in_flight.dec()
            if series.handling is not None:
                series.handling.observe(time.perf_counter() - started)
            series.handled[_code(context, cancelled)].inc()

    def wrap(self, method: Method, handler: Handler) -> Handler:
        """As `Around`; messages are counted where they are parsed and serialised."""
        wrapped = super().wrap(method, handler)
        counted: Handler = wrapped._replace(  # type: ignore[attr-defined]
            request_deserializer=_counting(metrics.RECEIVED.labels(*method), wrapped.request_deserializer),
            response_serializer=_counting(metrics.SENT.labels(*method), wrapped.response_serializer),
        )
        return counted


class _Series(NamedTuple):
    """The series of one method: looking them up at every call would cost as much as counting."""

    started: Counter
    in_flight: Gauge
    handling: Histogram | None
    handled: dict[StatusCode, Counter]

    @classmethod
    def of(cls, method: Method) -> Self:
        metrics.RECEIVED.labels(*method)
        metrics.SENT.labels(*method)
        return cls(
            metrics.STARTED.labels(*method),
            metrics.IN_FLIGHT.labels(_label(method)),
            metrics.HANDLING.labels(*method) if method.type == "unary" else None,
            {code: metrics.HANDLED.labels(*method, code.name) for code in StatusCode},
        )


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
