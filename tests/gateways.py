"""A gateway in this process, reached over a real socket, and short ways to call it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, RetryInfo
from grpc_status import rpc_status

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceStub
from mediafleet.v1.usage_pb2_grpc import UsageServiceStub
from mediafleet_core.errors import Reason
from mediafleet_core.intake.settings import IntakeSettings
from mediafleet_core.ledger import LedgerSettings
from mediafleet_core.queue import QueueSettings
from mediafleet_core.storage import StorageSettings
from mediafleet_core.watching import WatchedLedger
from mediafleet_devserver.redis_server import free_port
from mediafleet_gateway.auth import Scope
from mediafleet_gateway.bootstrap import Settings, build
from mediafleet_gateway.gateway import Gateway
from mediafleet_gateway.settings import GatewaySettings
from mediafleet_gateway.tokens import issue
from mediafleet_gateway.usage_settings import UsageSettings

if TYPE_CHECKING:
    from mediafleet.v1.uploads_pb2_grpc import UploadServiceAsyncStub
    from mediafleet.v1.usage_pb2_grpc import UsageServiceAsyncStub

KEY = "a key for tests only, 32 bytes or more"
Metadata = tuple[tuple[str, str], ...]


def bearer(tenant: str = "ann", scopes: Iterable[str] = Scope, *, key: str = KEY, hours: float = 1) -> Metadata:
    """Call metadata with a token."""
    token = issue(key, tenant, list(scopes), timedelta(hours=hours))
    return (("authorization", f"Bearer {token}"),)


ANN, BOB = bearer("ann"), bearer("bob")


def settings(
    redis_url: str,
    folder: Path,
    gateway: Mapping[str, Any] | None = None,
    intake: Mapping[str, Any] | None = None,
    usage: Mapping[str, Any] | None = None,
) -> Settings:
    """Settings for tests: free ports, a private key, storage in `folder`."""
    return Settings(
        gateway=GatewaySettings(
            **{
                "gateway_address": f"127.0.0.1:{free_port()}",
                "metrics_address": f"127.0.0.1:{free_port()}",
                "token_key": KEY,
                **(gateway or {}),
            }
        ),
        ledger=LedgerSettings(ledger_url=redis_url),
        queue=QueueSettings(broker_url=redis_url.removesuffix("/0") + "/1"),
        storage=StorageSettings(storage="local", storage_dir=folder, storage_signing_key="signing key of tests"),
        intake=IntakeSettings(**(intake or {})),
        usage=UsageSettings(**(usage or {})),
    )


class Reached(NamedTuple):
    """A gateway and a channel to it."""

    gateway: Gateway
    channel: grpc.aio.Channel
    uploads: UploadServiceAsyncStub
    usage: UsageServiceAsyncStub


@asynccontextmanager
async def running(configured: Settings, *, ledger: WatchedLedger | None = None) -> AsyncIterator[Reached]:
    """A started gateway; stopped at the end without grace."""
    gateway = await build(configured, ledger=ledger)
    try:
        await gateway.start()
        async with grpc.aio.insecure_channel(str(gateway.address)) as channel:
            yield Reached(gateway, channel, UploadServiceStub(channel), UsageServiceStub(channel))
    finally:
        await gateway.stop(timedelta(0))


async def create(reached: Reached, metadata: Metadata = ANN, **spec: Any) -> pb.Upload:
    """An upload that is RECEIVING."""
    request = pb.CreateUploadRequest(spec=pb.UploadSpec(**{"display_name": "notes.bin", **spec}))
    return (await reached.uploads.CreateUpload(request, metadata=metadata)).upload


async def send(reached: Reached, *messages: pb.WriteUploadRequest, metadata: Metadata = ANN) -> pb.WriteUploadResponse:
    """One write stream of these messages, half-closed at the end."""
    return await reached.uploads.WriteUpload(iter(messages), metadata=metadata)


async def upload(reached: Reached, content: bytes = b"content", metadata: Metadata = ANN, **spec: Any) -> pb.Upload:
    """An upload that is QUEUED."""
    request = pb.UploadFileRequest(spec=pb.UploadSpec(**{"display_name": "notes.bin", **spec}), content=content)
    return (await reached.uploads.UploadFile(request, metadata=metadata)).upload


class Refusal:
    """What a refused call answered, filled when the block of `refused` has ended."""

    info = ErrorInfo()
    details: Mapping[str, Message] = {}
    trailers: Mapping[str, str | bytes] = {}
    message = ""

    @property
    def fields(self) -> set[str]:
        """The fields that BadRequest names."""
        bad = self.details[BadRequest.DESCRIPTOR.full_name]
        assert isinstance(bad, BadRequest)
        return {violation.field for violation in bad.field_violations}

    @property
    def retry_seconds(self) -> float:
        """What RetryInfo says."""
        retry = self.details[RetryInfo.DESCRIPTOR.full_name]
        assert isinstance(retry, RetryInfo)
        return retry.retry_delay.ToTimedelta().total_seconds()

    @property
    def quotas(self) -> set[str]:
        """The ids that QuotaFailure names."""
        failure = self.details[QuotaFailure.DESCRIPTOR.full_name]
        assert isinstance(failure, QuotaFailure)
        return {violation.quota_id for violation in failure.violations}


_TYPES: Mapping[str, type[Message]] = {
    "google.rpc.ErrorInfo": ErrorInfo,
    "google.rpc.BadRequest": BadRequest,
    "google.rpc.RetryInfo": RetryInfo,
    "google.rpc.QuotaFailure": QuotaFailure,
}


@contextmanager
def refused(code: grpc.StatusCode, reason: Reason, *kinds: type[Message]) -> Iterator[Refusal]:
    """The block's call must fail with this code, this reason, and exactly these details besides ErrorInfo."""
    refusal = Refusal()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield refusal
    error = caught.value
    assert error.code() is code, error
    status = rpc_status.from_call(cast("grpc.Call", error))
    assert status is not None, f"no details: {error}"
    names = [detail.type_url.rpartition("/")[2] for detail in status.details]
    assert sorted(names) == sorted(name for name, kind in _TYPES.items() if kind in (ErrorInfo, *kinds)), names
    details = {}
    for name, detail in zip(names, status.details, strict=True):
        details[name] = _TYPES[name]()
        assert detail.Unpack(details[name])
    info = details[ErrorInfo.DESCRIPTOR.full_name]
    assert isinstance(info, ErrorInfo)
    assert (info.reason, info.domain) == (reason, "mediafleet")
    refusal.info, refusal.details, refusal.message = info, details, status.message
    refusal.trailers = dict(error.trailing_metadata() or ())
    for leak in ("Traceback", "Error(", "Exception", ".py", "redis", "mediafleet_"):
        assert leak not in str(status), f"{leak!r} leaks: {status}"
