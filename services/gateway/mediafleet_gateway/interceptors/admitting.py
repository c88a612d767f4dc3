"""Calls beyond what a method may have at once are asked to come back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mediafleet_gateway.admission import METHOD_LIMITS, Admission
from mediafleet_gateway.interceptors.around import Around, Context, Handler
from mediafleet_gateway.methods import Method, Methods


class Admitting(Around):
    """RESOURCE_EXHAUSTED `RATE_LIMITED` for the methods that are counted."""

    def __init__(self, methods: Methods, admission: Admission) -> None:
        """`admission` counts."""
        super().__init__(methods)
        self._admission = admission

    @asynccontextmanager
    async def around(self, method: Method, context: Context) -> AsyncIterator[None]:
        """See `Admission.call`."""
        with self._admission.call(method.name):
            yield

    def wrap(self, method: Method, handler: Handler) -> Handler:
        """Watches, health and reads are never counted, and uploads in another way."""
        return super().wrap(method, handler) if method.ours and method.name in METHOD_LIMITS else handler
