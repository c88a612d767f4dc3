"""What the client asks about storage: what is used of it now, what was, and what may be."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Literal, TypeAlias

from mediafleet.arguments import checked
from mediafleet.calls import Calls
from mediafleet.spans import timestamp
from mediafleet.v1 import usage_pb2
from mediafleet.v1.uploads_pb2 import TimeRange

Granularity: TypeAlias = Literal["hour", "day", "month"]


class UsageCalls(Calls):
    """Of `AsyncClient`: `usage`, `usage_history` and `quota`."""

    @checked
    async def usage(
        self, *, collection: str = "", whole_bucket: bool = False, refresh: bool = False
    ) -> usage_pb2.Usage:
        """What the tenant, one collection, or (scope `admin`) the whole bucket stores, and what it costs.

        With `refresh` the storage is looked at anew, and for the whole bucket compared with the counters. That may take
        longer than the gateway waits: `reconcile_time` tells whether it is done, `reconcile_progress` how far it is.
        """
        scope = _usage_scope(collection, whole_bucket)
        request = usage_pb2.GetUsageRequest(scope=scope, collection=collection, refresh=refresh)
        return (await self._gateways.call(lambda gateway: gateway.usage.GetUsage, request)).usage

    @checked
    async def usage_history(
        self,
        since: datetime | None = None,
        *,
        before: datetime | None = None,
        granularity: Granularity = "day",
        collection: str = "",
        whole_bucket: bool = False,
    ) -> AsyncGenerator[usage_pb2.UsagePoint, None]:
        """What was stored at the end of each hour, day or month, by rising time; `since` 30 days ago unless given.

        Times are aware of their zone. Pages are fetched as the caller goes on.
        """
        request = usage_pb2.ListUsageHistoryRequest(
            scope=_usage_scope(collection, whole_bucket),
            collection=collection,
            granularity=usage_pb2.UsageGranularity.Value(f"USAGE_GRANULARITY_{granularity.upper()}"),
        )
        if since is not None or before is not None:
            request.interval.CopyFrom(TimeRange(start_time=timestamp(since), end_time=timestamp(before)))
        async with aclosing(self._pages(lambda gateway: gateway.usage.ListUsageHistory, request)) as pages:
            async for page in pages:
                for point in page.points:
                    yield point

    @checked
    async def quota(self, *, collection: str = "") -> usage_pb2.Quota:
        """The tenant's limits and what is used of them, together with those of a collection if one is named."""
        request = usage_pb2.GetQuotaRequest(collection=collection)
        return (await self._gateways.call(lambda gateway: gateway.usage.GetQuota, request)).quota


def _usage_scope(collection: str, whole_bucket: bool) -> usage_pb2.UsageScope.ValueType:
    if whole_bucket:
        return usage_pb2.USAGE_SCOPE_BUCKET
    return usage_pb2.USAGE_SCOPE_COLLECTION if collection else usage_pb2.USAGE_SCOPE_TENANT
