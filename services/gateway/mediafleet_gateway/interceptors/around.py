"""The base of the interceptors: a behaviour is said once, as a context manager, for calls of every shape."""

from __future__ import annotations

import abc
import inspect
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, TypeAlias

import grpc
from grpc import HandlerCallDetails
from grpc.aio import ServicerContext

from mediafleet_gateway.methods import UNKNOWN, Method, Methods

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "ServicerContext[Any, Any]"


class Around(grpc.aio.ServerInterceptor):
    """Runs `around` as the frame of every call."""

    def __init__(self, methods: Methods) -> None:
        """`methods` are those offered; their handlers are wrapped once, not at every call."""
        self._methods = methods
        self._wrapped: dict[Method, Handler] = {}

    @abc.abstractmethod
    def around(self, method: Method, context: Context) -> AbstractAsyncContextManager[None]:
        """Entered before the handler runs; sees what the handler raises."""

    async def intercept_service(
        self, continuation: Callable[[HandlerCallDetails], Awaitable[Handler | None]], details: HandlerCallDetails
    ) -> Handler:
        """Called by gRPC for each call, to find its handler."""
        handler = await continuation(details)
        method = self._methods.get(details.method, UNKNOWN)
        if method not in self._wrapped:
            self._wrapped[method] = self.wrap(method, handler or _UNKNOWN)
        return self._wrapped[method]

    def wrap(self, method: Method, handler: Handler) -> Handler:
        """The same handler inside `around`."""
        inner: Any = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream

        async def one(request: Any, context: Context) -> Any:
            async with self.around(method, context):
                result = inner(request, context)
                return await result if inspect.isawaitable(result) else result

        # Messages are written and not yielded: so the call's cancellation arrives here, and closes the generator.
        async def many(request: Any, context: Context) -> None:
            async with self.around(method, context):
                result = inner(request, context)
                if inspect.isawaitable(result):
                    await result
                    return
                async with aclosing(result):
                    async for message in result:
                        await context.write(message)

        make: Any = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[handler.request_streaming, handler.response_streaming]
        wrapped: Handler = make(
            many if handler.response_streaming else one, handler.request_deserializer, handler.response_serializer
        )
        return wrapped


async def _unknown(requests: object, context: Context) -> None:
    raise NotImplementedError


# This shape fits every client, because it reads nothing.
_UNKNOWN: Handler = grpc.stream_stream_rpc_method_handler(_unknown)
