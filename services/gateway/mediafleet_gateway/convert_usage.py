"""Usage, its history and quotas as protocol messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from mediafleet.v1 import usage_pb2 as pb
from mediafleet_core.identity import TenantId
from mediafleet_core.media_types import MediaKind
from mediafleet_core.prices import Prices
from mediafleet_core.quotas import Limits
from mediafleet_core.usage import Operations, Reconciliation, ReconciliationStatus, Stored, Usage, UsagePoint
from mediafleet_gateway.convert import KINDS, timestamp

MOST_COLLECTIONS = 1000
"""That one answer tells."""


def usage_to_proto(usage: Usage, operations: Operations, prices: Prices | None, bookkeeping: Stored) -> pb.Usage:
    """The counters and what they cost, together with so much beside them; without prices, storage bills nothing."""
    per_kind = {kind: usage.originals.get(kind, Stored()) + usage.renditions.get(kind, Stored()) for kind in MediaKind}
    return pb.Usage(
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
            for name, stored in islice(usage.collections.items(), MOST_COLLECTIONS)
        ],
        as_of_time=timestamp(usage.as_of),
        source=pb.USAGE_SOURCE_COUNTERS,
        class_a_operations=operations.class_a,
        class_b_operations=operations.class_b,
        estimated_monthly_cost=prices.monthly(usage.total.size + bookkeeping.size, operations) if prices else 0.0,
        price_date=prices.date.isoformat() if prices else "",
    )


def add_reconciliation(message: pb.Usage, known: ReconciliationStatus) -> None:
    """What is known of the bucket beside the counters in the message."""
    latest, progress = known
    if latest is not None:
        message.drift.CopyFrom(_amount(latest.drift))
        message.bookkeeping.CopyFrom(_amount(latest.other))
        message.reconcile_time.FromDatetime(latest.time)
        if latest.counted == (message.bytes, message.objects):
            message.source = pb.USAGE_SOURCE_RECONCILIATION
    if progress is not None:
        message.reconcile_progress.start_time.FromDatetime(progress.began)
        message.reconcile_progress.objects_listed = progress.listed
        message.reconcile_progress.objects_expected = max(progress.listed, progress.expected)


def bookkeeping(latest: Reconciliation | None) -> Stored:
    """What is in the bucket beside originals and renditions."""
    return latest.other if latest else Stored()


def point_to_proto(point: UsagePoint) -> pb.UsagePoint:
    """One step of the past."""
    return pb.UsagePoint(
        start_time=timestamp(point.start),
        originals=_amount(point.originals),
        renditions=_amount(point.renditions),
        class_a_operations=point.operations.class_a,
        class_b_operations=point.operations.class_b,
    )


def quota_to_proto(tenant: TenantId, limits: Limits, whole: Usage, collection: Usage | None) -> pb.Quota:
    """The tenant's limits, and those of a collection if one was asked for; ids as refusals name them."""
    rows = [("tenant_bytes", limits.tenant_bytes, whole)]
    if collection is not None:
        rows.append(("collection_bytes", limits.collection_bytes, collection))
    return pb.Quota(tenant=tenant, limits=_limits(sorted(rows, key=lambda row: row[0])))


def _limits(rows: Iterable[tuple[str, int, Usage]]) -> Iterable[pb.QuotaLimit]:
    for quota_id, limit, usage in rows:
        used = usage.total.size + usage.reserved_bytes
        yield pb.QuotaLimit(quota_id=quota_id, metric="stored_bytes", limit=limit, used=used)


def _total(amounts: Mapping[MediaKind, Stored]) -> pb.StoredAmount:
    return _amount(sum(amounts.values(), Stored()))


def _amount(stored: Stored) -> pb.StoredAmount:
    return pb.StoredAmount(bytes=stored.size, objects=stored.objects)
