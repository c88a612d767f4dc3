"""Batches: opened, followed, ended and reported."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

from mediafleet.v1 import batches_pb2 as pb
from mediafleet.v1.batches_pb2_grpc import BatchServiceServicer
from mediafleet_core.batch_watching import BatchMessage, BatchWatching
from mediafleet_core.batches import BatchSpec
from mediafleet_core.batching import Batching
from mediafleet_core.identity import BatchId
from mediafleet_core.ports import BatchFilter, BatchLedger
from mediafleet_gateway import paging, requests
from mediafleet_gateway.auth import caller
from mediafleet_gateway.convert_batches import (
    BATCH_STATES,
    batch_to_proto,
    row_to_proto,
    view_to_proto,
)
from mediafleet_gateway.draining import Drain
from mediafleet_gateway.interceptors.around import Context
from mediafleet_gateway.telling import tell
from mediafleet_gateway.validation import MAX_DISPLAY_NAME, MAX_REASON, Fields
from mediafleet_gateway.wire import BatchWire

MOST_ITEMS = 1 << 40
_DEFAULT_INTERVAL = timedelta(milliseconds=500)
_STATES = {number: state for state, number in BATCH_STATES.items()}


class BatchService(BatchServiceServicer):
    """Changes go through `batching`, reads ask the ledger."""

    def __init__(
        self, ledger: BatchLedger, batching: Batching, watching: BatchWatching, drain: Drain, *, heartbeat: timedelta
    ) -> None:
        """`heartbeat` is the time between two signs of life on a watch; `drain` ends watches from outside."""
        self._ledger, self._batching, self._watching = ledger, batching, watching
        self._drain, self._heartbeat, self._wire = drain, heartbeat, BatchWire(heartbeat)

    async def CreateBatch(self, request: pb.CreateBatchRequest, context: Context) -> pb.CreateBatchResponse:
        """An OPEN batch."""
        fields = Fields()
        fields.line("display_name", request.display_name, MAX_DISPLAY_NAME)
        if request.collection:
            fields.name("collection", request.collection)
        fields.labels("labels", request.labels)
        fields.require(0 <= request.expected_items <= MOST_ITEMS, "expected_items", f"must be 0 to {MOST_ITEMS}")
        fields.check()
        spec = BatchSpec(
            display_name=request.display_name,
            collection=request.collection,
            labels=dict(request.labels),
            expected_items=request.expected_items if request.HasField("expected_items") else None,
        )
        batch = await self._batching.create(caller().tenant, spec, request_id=requests.request_id(request.request_id))
        return pb.CreateBatchResponse(batch=batch_to_proto(batch))

    async def SealBatch(self, request: pb.SealBatchRequest, context: Context) -> pb.SealBatchResponse:
        """The batch, which takes no more uploads."""
        batch = await self._batching.seal(_batch_id(request.batch_id), caller().tenant)
        return pb.SealBatchResponse(batch=batch_to_proto(batch))

    async def GetBatch(self, request: pb.GetBatchRequest, context: Context) -> pb.GetBatchResponse:
        """The record, and its members at work."""
        view = await self._ledger.batch(_batch_id(request.batch_id), caller().tenant)
        return pb.GetBatchResponse(batch=view_to_proto(view))

    async def ListBatches(self, request: pb.ListBatchesRequest, context: Context) -> pb.ListBatchesResponse:
        """One page."""
        tenant, which = caller().tenant, _filter(request.filter)
        size, oldest_first = paging.page_size(request.page_size), paging.oldest_first(request.order_by)
        after = paging.decode(tenant, request)
        page = await self._ledger.list_batches(tenant, which, limit=size, after=after, oldest_first=oldest_first)
        return pb.ListBatchesResponse(
            batches=map(batch_to_proto, page.batches),
            next_page_token=paging.encode(tenant, request, page.next_after),
            total_size=page.total,
        )

    async def WatchBatch(  # type: ignore[override]
        self, request: pb.WatchBatchRequest, context: Context
    ) -> None:
        """Ends after the terminal message; writes bytes, which the server passes through."""
        batch_id = _batch_id(request.batch_id)
        after, interval = requests.watch_position(request, _DEFAULT_INTERVAL)
        messages = self._watching.watch(
            batch_id, caller().tenant, after=after, min_interval=interval, heartbeat=self._heartbeat
        )

        async def wire(message: BatchMessage) -> bytes:
            return self._wire.of(message, batch_id)

        await tell(messages, wire, context, self._drain, resumes=bool(request.after_cursor))

    async def CancelBatch(self, request: pb.CancelBatchRequest, context: Context) -> pb.CancelBatchResponse:
        """The batch; no member starts any more."""
        fields = Fields()
        fields.line("reason", request.reason, MAX_REASON)
        fields.check()
        batch = await self._batching.cancel(_batch_id(request.batch_id), caller().tenant, request.reason)
        return pb.CancelBatchResponse(batch=batch_to_proto(batch))

    async def RetryBatch(self, request: pb.RetryBatchRequest, context: Context) -> pb.RetryBatchResponse:
        """The batch, at work on what had failed."""
        retried = await self._batching.retry(_batch_id(request.batch_id), caller().tenant)
        return pb.RetryBatchResponse(batch=batch_to_proto(retried.batch), retried_items=retried.members)

    async def ExportBatchReport(
        self, request: pb.ExportBatchReportRequest, context: Context
    ) -> AsyncIterator[pb.BatchReportRow]:
        """A row for each member, in order of creation."""
        batch_id = _batch_id(request.batch_id)
        async for member in self._ledger.members(batch_id, caller().tenant):
            yield row_to_proto(batch_id, member)


def _batch_id(text: str) -> BatchId:
    fields = Fields()
    fields.identifier("batch_id", text)
    fields.check()
    return BatchId(text)


def _filter(message: pb.BatchFilter, field: str = "filter") -> BatchFilter:
    """Which batches are meant. Raises FIELD_INVALID."""
    fields = Fields()
    for state in message.states:
        fields.known(f"{field}.states", state, _STATES)
    if message.collection:
        fields.name(f"{field}.collection", message.collection)
    fields.labels(f"{field}.labels", message.labels)
    fields.line(f"{field}.text", message.text, MAX_DISPLAY_NAME)
    start, end = requests.time_range(fields, f"{field}.create_time_range", message.create_time_range)
    fields.check()
    return BatchFilter(
        states=frozenset(_STATES[number] for number in message.states),
        collection=message.collection,
        labels=dict(message.labels),
        created_from=start,
        created_before=end,
        text=message.text,
    )
