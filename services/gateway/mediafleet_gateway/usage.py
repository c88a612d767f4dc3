"""What is stored, by whom, what it was and what it costs."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from mediafleet.v1 import usage_pb2 as pb
from mediafleet.v1.usage_pb2_grpc import UsageServiceServicer
from mediafleet_core.errors import invalid_field
from mediafleet_core.identity import TenantId
from mediafleet_core.ports import UsageLedger
from mediafleet_core.prices import Prices
from mediafleet_core.quotas import Limits
from mediafleet_core.usage import Granularity, Operations, ReconciliationStatus
from mediafleet_gateway import paging, requests
from mediafleet_gateway.auth import Scope, caller
from mediafleet_gateway.convert_usage import (
    add_reconciliation,
    bookkeeping,
    point_to_proto,
    quota_to_proto,
    usage_to_proto,
)
from mediafleet_gateway.interceptors.around import Context
from mediafleet_gateway.storage_probe import StorageProbe, StorageReport
from mediafleet_gateway.usage_settings import UsageSettings
from mediafleet_gateway.validation import Fields

_SCOPES = frozenset(pb.UsageScope.values())
_GRANULARITIES = {pb.USAGE_GRANULARITY_UNSPECIFIED: Granularity.DAY} | {
    pb.UsageGranularity.Value(f"USAGE_GRANULARITY_{each.name}"): each for each in Granularity
}
_DEFAULT_INTERVAL = timedelta(days=30)
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_NUMBER = re.compile("[0-9]{1,11}")

_LOOK = 0.2
"""Seconds between two looks at a reconciliation that is waited for."""

_WANTED = 1.0
"""Seconds that a wish for a reconciliation stands for those that follow."""

_MARGIN = 1.0
"""Seconds before the deadline of a call at which its answer is given, with what there is."""


class UsageService(UsageServiceServicer):
    """Figures of the caller's own tenant and its collections, and for administrators of the whole bucket."""

    def __init__(
        self,
        ledger: UsageLedger,
        probe: StorageProbe,
        settings: UsageSettings,
        prices: Prices | None,
        limits_of: Callable[[TenantId], Limits],
    ) -> None:
        """Counters come from the ledger; trouble of the storage is told, never raised. No `prices` for free storage."""
        self._ledger, self._probe, self._settings = ledger, probe, settings
        self._prices, self._limits_of = prices, limits_of
        self._want_again = 0.0

    async def GetUsage(self, request: pb.GetUsageRequest, context: Context) -> pb.GetUsageResponse:
        """The counters, and for the bucket their reconciliation."""
        tenant, collection = _scope(request)
        report = await self._probe.report(refresh=request.refresh)
        known = ReconciliationStatus(None, None)
        if tenant is None:
            known = await self._reconciliation(report, context, refresh=request.refresh)
        usage, operations = await asyncio.gather(
            self._ledger.usage(tenant, collection), self._operations(tenant, collection)
        )
        message = usage_to_proto(usage, operations, self._prices, bookkeeping(known.latest))
        message.scope = request.scope or pb.USAGE_SCOPE_TENANT
        message.tenant, message.collection = tenant or "", collection
        message.storage_state, message.storage_message = report
        if tenant is None:
            add_reconciliation(message, known)
        return pb.GetUsageResponse(usage=message)

    async def ListUsageHistory(
        self, request: pb.ListUsageHistoryRequest, context: Context
    ) -> pb.ListUsageHistoryResponse:
        """One page."""
        tenant, collection = _scope(request)
        fields = Fields()
        fields.known("granularity", request.granularity, _GRANULARITIES)
        start, end = requests.time_range(fields, "interval", request.interval)
        fields.check()
        owner, size, now = caller().tenant, paging.page_size(request.page_size), datetime.now(UTC)
        place = paging.decode(owner, request)
        if place and not _NUMBER.fullmatch(place):  # whoever knows how tokens are made can make any
            raise invalid_field("page_token", "must be a token that this server gave")
        if place:
            start = datetime.fromtimestamp(int(place), UTC)
        elif not request.HasField("interval"):
            start = now - _DEFAULT_INTERVAL
        history = await self._ledger.usage_history(
            tenant, collection, _GRANULARITIES[request.granularity], start or _BEGINNING, end or now, limit=size
        )
        after = f"{history.next_start.timestamp():.0f}" if history.next_start else ""
        return pb.ListUsageHistoryResponse(
            points=map(point_to_proto, history.points), next_page_token=paging.encode(owner, request, after)
        )

    async def GetQuota(self, request: pb.GetQuotaRequest, context: Context) -> pb.GetQuotaResponse:
        """The tenant's limits."""
        fields = Fields()
        if request.collection:
            fields.name("collection", request.collection)
        fields.check()
        tenant = caller().tenant
        whole = await self._ledger.usage(tenant)
        part = await self._ledger.usage(tenant, request.collection) if request.collection else None
        return pb.GetQuotaResponse(quota=quota_to_proto(tenant, self._limits_of(tenant), whole, part))

    async def _operations(self, tenant: TenantId | None, collection: str) -> Operations:
        return Operations() if collection else await self._ledger.operations(tenant)

    async def _reconciliation(self, report: StorageReport, context: Context, *, refresh: bool) -> ReconciliationStatus:
        """What is known of the bucket; housekeeping lists it, and is asked to where that is old."""
        known = await self._ledger.reconciliation()
        age = datetime.now(UTC) - known.latest.time if known.latest else timedelta.max
        if not refresh:
            if age >= self._settings.usage_cache and known.progress is None and time.monotonic() >= self._want_again:
                self._want_again = time.monotonic() + _WANTED
                await self._ledger.want_reconciliation(patient=True)
            return known
        asked = await self._ledger.want_reconciliation()
        if report[0] != pb.STORAGE_STATE_OK:
            return known
        left = context.time_remaining() or float("inf")  # None without a deadline, whatever the types say
        patience = self._settings.usage_refresh_patience.total_seconds()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(patience, left - _MARGIN)):
                while known.latest is None or known.latest.time < asked:
                    await asyncio.sleep(_LOOK)
                    known = await self._ledger.reconciliation()
        return known


def _scope(request: pb.GetUsageRequest | pb.ListUsageHistoryRequest) -> tuple[TenantId | None, str]:
    """The tenant, None for the whole bucket, and the collection. Raises FIELD_INVALID, SCOPE_MISSING."""
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
        return None, ""
    return principal.tenant, request.collection
