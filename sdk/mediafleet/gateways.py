"""The gateways that a client may talk to: one at a time, the next one when that one is away."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import grpc

from mediafleet.errors import DeadlineExceeded, Internal, MediafleetError, Unauthenticated, Unavailable, from_rpc_error
from mediafleet.retries import Patience
from mediafleet.v1.batches_pb2_grpc import BatchServiceStub
from mediafleet.v1.fleet_pb2_grpc import FleetServiceStub
from mediafleet.v1.notifications_pb2_grpc import NotificationServiceStub
from mediafleet.v1.uploads_pb2_grpc import UploadServiceStub
from mediafleet.v1.usage_pb2_grpc import UsageServiceStub

if TYPE_CHECKING:
    from mediafleet.v1.batches_pb2_grpc import BatchServiceAsyncStub
    from mediafleet.v1.fleet_pb2_grpc import FleetServiceAsyncStub
    from mediafleet.v1.notifications_pb2_grpc import NotificationServiceAsyncStub
    from mediafleet.v1.uploads_pb2_grpc import UploadServiceAsyncStub
    from mediafleet.v1.usage_pb2_grpc import UsageServiceAsyncStub

Request = TypeVar("Request")
Response = TypeVar("Response")
Token = str | Callable[[], str]

logger = logging.getLogger("mediafleet")
"""Tells at INFO each try that failed because no gateway answered, and each watch that goes on elsewhere."""

_LONGEST = 1e6
"""Seconds of patience at most: gRPC refuses at once what it cannot count."""

_NO_TOKEN = "`token` is text, or a function that gives it"

_OPTIONS = [
    # A name that stands for several gateways has calls spread over all of them.
    ("grpc.lb_policy_name", "round_robin"),
    # A connection that died silently is noticed within 30 s, and a lost gateway is sought again within 2 s.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Calls are repeated here, where several gateways and what they ask for are known.
    ("grpc.enable_retries", 0),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
]


class Gateway:
    """One gateway: its channel and the services on it."""

    def __init__(self, target: str, credentials: grpc.ChannelCredentials | None) -> None:
        """`target` is `host:port`, or `https://host:port` for TLS with the system's certificates.

        A host that has several addresses stands for as many gateways.
        """
        self.address = target.removeprefix("https://").removeprefix("http://").rstrip("/")
        if credentials is None and target.startswith("https://"):
            credentials = grpc.ssl_channel_credentials()
        self._credentials = credentials
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(self.address, options=_OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(self.address, credentials, options=_OPTIONS)
        self.uploads: UploadServiceAsyncStub = UploadServiceStub(self._channel)
        self.batches: BatchServiceAsyncStub = BatchServiceStub(self._channel)
        self.usage: UsageServiceAsyncStub = UsageServiceStub(self._channel)
        self.fleet: FleetServiceAsyncStub = FleetServiceStub(self._channel)
        self.notifications: NotificationServiceAsyncStub = NotificationServiceStub(self._channel)
        self._writing: grpc.Channel | None = None

    @property
    def writes(self) -> UploadServiceStub:
        """For WriteUpload alone, on gRPC's threads: there `grpc.aio` tells every refusal in mid-stream as INTERNAL."""
        if self._writing is None:
            if self._credentials is None:
                self._writing = grpc.insecure_channel(self.address, options=_OPTIONS)
            else:
                self._writing = grpc.secure_channel(self.address, self._credentials, options=_OPTIONS)
        return UploadServiceStub(self._writing)

    async def close(self) -> None:
        """Ends every call and connection."""
        await self._channel.close()
        if self._writing is not None:
            self._writing.close()


class Gateways:
    """Calls that outlive the loss of a gateway."""

    def __init__(
        self, targets: Sequence[str], token: Token, timeout: float, credentials: grpc.ChannelCredentials | None
    ) -> None:
        """Connects at the first call; `timeout` is the patience, in seconds."""
        if not targets:
            raise ValueError("name at least one target")
        if not _texts(targets):
            raise TypeError("`target` is one `host:port`, `targets` is a list of them")
        if not all(targets):
            raise ValueError("a target is `host:port`, and not empty")
        if not (isinstance(token, str) or callable(token)):
            raise TypeError(_NO_TOKEN)
        if isinstance(timeout, bool) or not isinstance(timeout, int | float):
            raise TypeError("`timeout` is a number of seconds")
        if not 0 < timeout <= _LONGEST:
            raise ValueError(f"`timeout` is more than 0 seconds, and at most {_LONGEST:,.0f}")
        if not isinstance(credentials, grpc.ChannelCredentials | None):
            raise TypeError("`credentials` are what grpc.ssl_channel_credentials() makes")
        self.timeout = timeout
        self._targets = list(targets)
        self._credentials = credentials
        self._token = token
        self._open: dict[str, Gateway] = {}

    @property
    def current(self) -> Gateway:
        """The gateway to talk to now."""
        if self.target not in self._open:
            self._open[self.target] = Gateway(self.target, self._credentials)
        return self._open[self.target]

    @property
    def target(self) -> str:
        """The one to talk to now, as it was named."""
        return self._targets[0]

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Credentials of a call. Raises Unauthenticated for a token that gRPC would not send, and quote."""
        token = self._token if isinstance(self._token, str) else self._token()
        if not isinstance(token, str):
            raise TypeError(_NO_TOKEN)
        token = token.strip()  # one that was read from a file has a line end behind it
        if not (token.isascii() and token.isprintable()):
            raise Unauthenticated("the token holds characters that none has", reason="TOKEN_INVALID")
        return (("authorization", f"Bearer {token}"),) if token else ()

    def patience(self) -> Patience:
        """For one call or stream."""
        return Patience(self.timeout, len(self._targets))

    def leave(self, gateway: Gateway, error: MediafleetError) -> None:
        """Talks to the next gateway from now on, if `gateway` is away or hangs and nobody has left it yet."""
        gone = isinstance(error, Unavailable | DeadlineExceeded) or (isinstance(error, Internal) and not error.reason)
        if gone:
            logger.info("%s", error.message)
        if gone and gateway is self.current:
            self._targets.append(self._targets.pop(0))

    async def call(
        self,
        method: Callable[[Gateway], grpc.aio.UnaryUnaryMultiCallable[Request, Response]],
        request: Request,
        *,
        repeatable: bool = True,
    ) -> Response:
        """The answer; a call that is not `repeatable` is made again only where the gateway asked for it."""
        patience = self.patience()
        while True:
            gateway = self.current
            try:
                return await method(gateway)(request, timeout=patience.left, metadata=self.metadata)
            except grpc.aio.AioRpcError as failure:
                error = from_rpc_error(failure)
            self.leave(gateway, error)
            if not repeatable and error.retry_after is None:
                raise error
            await patience.bear(error)

    async def close(self) -> None:
        """Ends every call and connection."""
        while self._open:  # a call of another task may open one meanwhile
            _, gateway = self._open.popitem()
            await gateway.close()


def _texts(given: object) -> bool:
    return isinstance(given, Sequence) and not isinstance(given, str) and all(isinstance(each, str) for each in given)
