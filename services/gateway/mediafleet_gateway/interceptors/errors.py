"""Every error leaves as a `google.rpc.Status` with details; no exception text leaves at all."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog
from google.protobuf.message import DecodeError
from grpc.aio import AbortError

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_gateway import metrics
from mediafleet_gateway.interceptors.around import Around, Context, Handler
from mediafleet_gateway.methods import Method
from mediafleet_gateway.statuses import CODES, retry_after, to_status

_log = structlog.get_logger(__name__)


_AWAY = frozenset({Reason.LEDGER_UNAVAILABLE, Reason.STORAGE_UNAVAILABLE, Reason.STORAGE_DENIED})
"""Reasons whose cause an operator has to see, and a caller must not."""


class Errors(Around):
    """Maps what handlers raise; an unknown exception is logged with an incident id that the caller gets too."""

    @asynccontextmanager
    async def around(self, method: Method, context: Context) -> AsyncIterator[None]:
        """Aborts the call in place of every exception but the client's own cancel."""
        structlog.contextvars.bind_contextvars(method=method.path)
        try:
            yield
        except AbortError:
            raise
        except MediafleetError as error:
            await _abort(context, error if error.reason is not Reason.INTERNAL else _incident("defect"))
        except NotImplementedError:
            await _abort(context, MediafleetError(Reason.NOT_IMPLEMENTED, "this server does not offer the method"))
        except asyncio.CancelledError:
            # Raised by a task of our own and not by the end of the call: the client would wait for its deadline.
            task = asyncio.current_task()
            if task is not None and task.cancelling() > 0:
                raise
            await _abort(context, _incident("an inner task was cancelled"))
        except Exception:
            await _abort(context, _incident("unexpected error"))

    def wrap(self, method: Method, handler: Handler) -> Handler:
        """As `Around`, and requests that are no protobuf message become FIELD_INVALID too."""
        parse: Callable[[bytes], Any] | None = handler.request_deserializer
        if parse is None:
            return super().wrap(method, handler)
        if handler.request_streaming:
            return super().wrap(method, handler._replace(request_deserializer=_parse_or_raise(parse)))  # type: ignore[attr-defined]
        return super().wrap(method, _parsing(handler, _parse_or_raise(parse)))


def _parse_or_raise(parse: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def checked(raw: bytes) -> Any:
        try:
            return parse(raw)
        except DecodeError:
            raise MediafleetError(Reason.FIELD_INVALID, "the request is not a message of its type") from None

    return checked


def _parsing(handler: Handler, parse: Callable[[bytes], Any]) -> Handler:
    # gRPC parses a single request before any interceptor's frame is entered: so it is left to the handler.
    field = "unary_stream" if handler.response_streaming else "unary_unary"
    inner = getattr(handler, field)
    changed: Handler = handler._replace(  # type: ignore[attr-defined]
        request_deserializer=None, **{field: lambda raw, context: inner(parse(raw), context)}
    )
    return changed


def _incident(event: str) -> MediafleetError:
    incident = secrets.token_hex(8)
    _log.exception(event, incident=incident)
    return MediafleetError(
        Reason.INTERNAL, "an unexpected error; tell an operator the incident id", metadata={"incident": incident}
    )


async def _abort(context: Context, error: MediafleetError) -> None:
    metrics.REJECTED.labels(error.reason).inc()
    for quota in error.quotas:
        metrics.QUOTA_REJECTED.labels(quota.quota_id).inc()
    if error.reason in _AWAY:
        cause = error.__cause__
        _log.warning(
            "unavailable", reason=error.reason, cause=type(cause).__name__, errno=getattr(cause, "errno", None)
        )
    trailers: list[tuple[str, str | bytes]] = [("grpc-status-details-bin", to_status(error).SerializeToString())]
    delay = retry_after(error)
    if error.reason is Reason.RATE_LIMITED and delay is not None:
        trailers.append(("grpc-retry-pushback-ms", str(int(delay * 1000))))
    await context.abort(CODES[error.reason], error.message, tuple(trailers))
