"""The asynchronous client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import grpc

from mediafleet.batches import AsyncBatches
from mediafleet.fleet import FleetCalls
from mediafleet.gateways import Gateways, Token
from mediafleet.imports import AsyncImports
from mediafleet.notifications import AsyncNotifications
from mediafleet.uploading import SendingCalls
from mediafleet.usage import UsageCalls


class AsyncClient(SendingCalls, UsageCalls, FleetCalls):
    """Sends files in and tells what becomes of them.

    Calls survive the loss of a connection or a gateway: they are made again, and uploads and watches go on where they
    were. `timeout` is the seconds that one try may take, and that trouble without any progress is borne, before the
    call fails. Failures raise a `MediafleetError`. Answers are the messages of `mediafleet.v1`. To be used within one
    event loop, best as `async with AsyncClient(...) as client`. `batches` groups uploads, `imports`
    takes objects of the bucket; see `AsyncBatches`, `AsyncImports`.
    """

    def __init__(
        self,
        target: str = "",
        *,
        targets: Sequence[str] = (),
        token: Token = "",
        timeout: float = 60.0,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        """Names one gateway, or several of which the next is taken when one is away.

        A target is `host:port`, or `https://host:port` for TLS with the system's certificates; `credentials` bring
        others. `token` may be a function that gives a fresh one for each call. Nothing connects yet.
        """
        super().__init__(Gateways([target, *targets] if target else targets, token, timeout, credentials))
        self.batches = AsyncBatches(self._gateways)
        self.imports = AsyncImports(self._gateways)
        self.notifications = AsyncNotifications(self._gateways)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends every call and connection."""
        await self._gateways.close()

    @property
    def target(self) -> str:
        """The gateway that is talked to now, as it was named."""
        return self._gateways.target
