"""What can be seen of a gateway from outside: whether it is there, whom it takes us for, its version and its clock."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import grpc
import grpc.aio

from mediafleet.cli.connection import Connection
from mediafleet.cli.doctor.findings import FAILED, OK, SKIPPED, WARNING, Finding, Found
from mediafleet.cli.failures import NEXT_STEPS
from mediafleet.errors import MediafleetError, from_rpc_error
from mediafleet.gateways import Gateway
from mediafleet.v1.fleet_pb2 import GetFleetRequest
from mediafleet.v1.uploads_pb2 import CreateUploadRequest, ListUploadsRequest, UploadSpec
from mediafleet.v1.usage_pb2 import GetUsageRequest, StorageState

_SKEW_WARNED = 5.0
"""Seconds: tokens expire by the gateway's clock, `--since` is by ours."""

_REMEDIES = {**NEXT_STEPS, "LEDGER_UNAVAILABLE": "run the doctor where the gateway runs, as it looks at Redis there"}

_PROBE = UploadSpec(display_name="mediafleet-doctor.txt", content_type="text/plain", size_bytes=1)


class ClientExam:
    """One gateway after the other, as the connection names them."""

    def __init__(self, connection: Connection) -> None:
        """Nothing is asked yet."""
        self._connection = connection
        self._token = (("authorization", f"Bearer {connection.token}"),) if connection.token else ()

    async def run(self) -> AsyncIterator[Finding]:
        """Everything about each, or that there is none."""
        if not self._connection.targets:
            remedy = "to look at one from outside, pass --endpoint or set MEDIAFLEET_ENDPOINT"
            yield Found("gateway", SKIPPED, "none is named here", remedy)
        for target in self._connection.targets:
            async for finding in self._examine(target):
                yield finding

    async def _examine(self, target: str) -> AsyncIterator[Finding]:
        if (unreached := await asyncio.to_thread(_unreached, target)) is not None:
            yield unreached
            return
        gateway = Gateway(target, None)
        patience = self._connection.timeout
        try:
            began = time.time()
            call = gateway.usage.GetUsage(GetUsageRequest(refresh=True), timeout=patience, metadata=self._token)
            usage = (await call).usage
            middle = (began + time.time()) / 2
            trailers = dict(await call.trailing_metadata() or ())
            yield Found("gateway", OK, f"{target} answers in {(time.time() - began) * 1000:.0f} ms, {_how(target)}")
            yield Found("token", OK, f"tenant {usage.tenant}, {await self._scopes(gateway, patience)}")
            yield _compared(str(trailers.get("mediafleet-version", "")))
            yield _clock(middle, str(trailers.get("mediafleet-time", "")))
            yield _storage(usage.storage_state, usage.storage_message)
        except grpc.aio.AioRpcError as failure:
            yield _refused(target, from_rpc_error(failure))
        finally:
            await gateway.close()

    async def _scopes(self, gateway: Gateway, patience: float) -> str:
        """Which calls the token allows: each is one that changes nothing."""

        async def allows(scope: str, call: Awaitable[object]) -> str:
            try:
                await call
            except grpc.aio.AioRpcError as error:
                return "" if error.code() is grpc.StatusCode.PERMISSION_DENIED else scope
            return scope

        told: dict[str, Any] = {"timeout": patience, "metadata": self._token}
        preview = CreateUploadRequest(spec=_PROBE, validate_only=True)
        found = await asyncio.gather(
            allows("read", gateway.uploads.ListUploads(ListUploadsRequest(page_size=1), **told)),
            allows("upload", gateway.uploads.CreateUpload(preview, **told)),
            allows("admin", gateway.fleet.GetFleet(GetFleetRequest(), **told)),
        )
        return f"scopes {' '.join(filter(None, found))} (cancel is not tried)"


def _unreached(target: str) -> Finding | None:
    """Told apart from gRPC's one word for all: no such host, nothing there."""
    url = urlsplit(target if "://" in target else f"http://{target}")
    host, port = url.hostname or "", url.port or 443
    try:
        with socket.create_connection((host, port), timeout=5):
            return None
    except socket.gaierror:
        return Found("gateway", FAILED, f"the host {host} is not known", "correct --endpoint or MEDIAFLEET_ENDPOINT")
    except ConnectionRefusedError:
        return Found("gateway", FAILED, f"nothing listens at {target}", "correct the endpoint, or start the gateway")
    except OSError as error:
        said = error.strerror or "no answer within 5 s"
        return Found("gateway", FAILED, f"{target} cannot be reached ({said})", "check the network and its firewalls")


def _refused(target: str, error: MediafleetError) -> Finding:
    if error.code is grpc.StatusCode.UNAVAILABLE and not error.reason:
        remedy = (
            "use https://HOST:PORT where the gateway is behind TLS, and only there; check that its certificate holds"
        )
        return Found("gateway", FAILED, f"{target} listens, but no gateway answers there: {error.message}", remedy)
    if error.code is grpc.StatusCode.DEADLINE_EXCEEDED and not error.reason:
        remedy = "see the log of the gateway: it may wait for Redis or the storage; --timeout gives it longer"
        return Found("gateway", FAILED, f"{target} listens, and did not answer in time", remedy)
    about = "token" if error.code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED) else "gateway"
    remedy = _REMEDIES.get(error.reason, "see the log of the gateway")
    return Found(about, FAILED, f"{target} answers {error.reason or error.code.name}: {error.message}", remedy)


def _how(target: str) -> str:
    return "over TLS" if target.startswith("https://") else "without TLS"


def _compared(theirs: str) -> Finding:
    ours = version("mediafleet")
    if not theirs:
        return Found("versions", SKIPPED, f"this is {ours}; the gateway does not tell its own")
    if theirs != ours:
        remedy = "take the same, or a gateway that is newer: a release bears the one before it"
        return Found("versions", WARNING, f"this is {ours}, the gateway {theirs}", remedy)
    return Found("versions", OK, f"{ours} here and there")


def _clock(ours: float, theirs: str) -> Finding:
    try:
        skew = ours - float(theirs)
    except ValueError:
        return Found("clock", SKIPPED, "the gateway does not tell its time")
    text = f"this machine is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} the gateway"
    if abs(skew) > _SKEW_WARNED:
        return Found("clock", WARNING, text, "set both clocks, by NTP: tokens expire by the gateway's")
    return Found("clock", OK, text)


def _storage(state: StorageState.ValueType, message: str) -> Finding:
    name = StorageState.Name(state).removeprefix("STORAGE_STATE_")
    if state == StorageState.STORAGE_STATE_OK:
        return Found("gateway's storage", OK, "it answers")
    cause, _, remedy = message.partition(": ")
    return Found("gateway's storage", FAILED, f"{name}: {cause}", remedy or "run the doctor where the gateway runs")
