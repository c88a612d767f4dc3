"""What a tenant has stored."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from mediafleet.v1 import usage_pb2 as pb
from mediafleet.v1.usage_pb2_grpc import UsageServiceServicer
from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.identity import TenantId
from mediafleet_core.media_types import MediaKind
from mediafleet_core.ports import Ledger, ObjectStore
from mediafleet_core.usage import Stored, Usage
from mediafleet_gateway.auth import Scope, caller
from mediafleet_gateway.convert import KINDS, timestamp
from mediafleet_gateway.interceptors.around import Context
from mediafleet_gateway.validation import Fields

_SCOPES = frozenset(pb.UsageScope.values())
_STATES = {
    Reason.STORAGE_DISABLED: pb.STORAGE_STATE_DISABLED,
    Reason.STORAGE_DENIED: pb.STORAGE_STATE_MISCONFIGURED,
}
StorageReport = tuple[pb.StorageState.ValueType, str]


class StorageProbe:
    """Whether the storage can be used, asked at most every `AGE` seconds and never for longer than `PATIENCE`."""

    AGE = 15.0
    PATIENCE = 2.0

    def __init__(self, store: ObjectStore) -> None:
        """Nothing is asked before the first call."""
        self._store = store
        self._asked = -self.AGE
        self._report: StorageReport = (pb.STORAGE_STATE_UNSPECIFIED, "")

    async def report(self, *, refresh: bool = False) -> StorageReport:
        """State and a message for people; never raises."""
        if refresh or time.monotonic() - self._asked >= self.AGE:
            self._report = await self._ask()
            self._asked = time.monotonic()
        return self._report

    async def _ask(self) -> StorageReport:
        try:
            async with asyncio.timeout(self.PATIENCE):
                await self._store.check()
        except TimeoutError:
            return pb.STORAGE_STATE_UNREACHABLE, f"the storage did not answer within {self.PATIENCE:g} s"
        except MediafleetError as error:
            return _STATES.get(error.reason, pb.STORAGE_STATE_UNREACHABLE), error.message
        return pb.STORAGE_STATE_OK, ""


class UsageService(UsageServiceServicer):
    """GetUsage for the caller's own tenant and its collections."""

    def __init__(self, ledger: Ledger, probe: StorageProbe) -> None:
        """Counters come from the ledger; trouble of the storage is told, never raised."""
        self._ledger = ledger
        self._probe = probe

    async def GetUsage(self, request: pb.GetUsageRequest, context: Context) -> pb.GetUsageResponse:
        """The counters."""
        fields = Fields()
        fields.known("scope", request.scope, _SCOPES)
        if request.scope == pb.USAGE_SCOPE_COLLECTION:
            fields.name("collection", request.collection)
        else:
            fields.require(not request.collection, "collection", "must be empty unless the scope is a collection")
        fields.check()
        principal = caller()
        if request.scope == pb.USAGE_SCOPE_BUCKET:
            principal.require(Scope.ADMIN)
            raise NotImplementedError
        usage = await self._ledger.usage(principal.tenant, request.collection)
        report = await self._probe.report(refresh=request.refresh)
        return pb.GetUsageResponse(usage=usage_to_proto(principal.tenant, request.collection, usage, report))


def usage_to_proto(tenant: TenantId, collection: str, usage: Usage, report: StorageReport) -> pb.Usage:
    """Counters and the storage's state."""
    per_kind = {kind: usage.originals.get(kind, Stored()) + usage.renditions.get(kind, Stored()) for kind in MediaKind}
    state, message = report
    return pb.Usage(
        scope=pb.USAGE_SCOPE_COLLECTION if collection else pb.USAGE_SCOPE_TENANT,
        tenant=tenant,
        collection=collection,
        bytes=usage.total.size,
        objects=usage.total.objects,
        originals=_total(usage.originals),
        renditions=_total(usage.renditions),
        reserved_bytes=usage.reserved_bytes,
        per_kind=[
            pb.KindUsage(kind=KINDS[kind], bytes=stored.size, objects=stored.objects)
            for kind, stored in per_kind.items()
            if stored.objects
        ],
        per_collection=[
            pb.CollectionUsage(collection=name, bytes=stored.size, objects=stored.objects)
            for name, stored in usage.collections.items()
        ],
        as_of_time=timestamp(usage.as_of),
        source=pb.USAGE_SOURCE_COUNTERS,
        storage_state=state,
        storage_message=message,
    )


def _total(amounts: Mapping[MediaKind, Stored]) -> pb.StoredAmount:
    total = sum(amounts.values(), Stored())
    return pb.StoredAmount(bytes=total.size, objects=total.objects)
