"""Credentials are checked before anything else happens; whoever passes is told which version answers, and its time."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import structlog

from mediafleet_gateway.auth import REQUIRED_SCOPE, TokenVerifier, set_caller
from mediafleet_gateway.interceptors.around import Around, Context, Handler
from mediafleet_gateway.methods import Method, Methods

_VERSION = ("mediafleet-version", version("mediafleet-gateway"))


class Auth(Around):
    """Verifies the caller and the scope that the method needs; handlers then ask `auth.caller`."""

    def __init__(self, methods: Methods, verifier: TokenVerifier) -> None:
        """`verifier` reads the `authorization` metadata."""
        super().__init__(methods)
        self._verifier = verifier

    @asynccontextmanager
    async def around(self, method: Method, context: Context) -> AsyncIterator[None]:
        """Raises TOKEN_MISSING, TOKEN_INVALID, TOKEN_EXPIRED, SCOPE_MISSING."""
        metadata = context.invocation_metadata() or ()
        authorization = next((value for key, value in metadata if key == "authorization"), "")
        principal = await self._verifier.verify(str(authorization))
        principal.require(REQUIRED_SCOPE[method.path])
        set_caller(principal)
        context.set_trailing_metadata((_VERSION, ("mediafleet-time", f"{time.time():.3f}")))
        structlog.contextvars.bind_contextvars(tenant=principal.tenant)
        yield

    def wrap(self, method: Method, handler: Handler) -> Handler:
        """Health, reflection and unknown methods are open; a mediafleet method without a scope fails as a bug."""
        return super().wrap(method, handler) if method.ours else handler
