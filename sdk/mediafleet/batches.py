"""Batches, asynchronously: uploads that are followed, cancelled, retried and reported together."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from datetime import timedelta

import grpc

from mediafleet.arguments import checked
from mediafleet.calls import Calls, Order
from mediafleet.errors import from_rpc_error
from mediafleet.spans import duration, within
from mediafleet.v1 import batches_pb2 as pb
from mediafleet.watching import resumed

TERMINAL_BATCH_STATES = frozenset(
    {
        pb.BatchState.BATCH_STATE_SUCCEEDED,
        pb.BatchState.BATCH_STATE_PARTIALLY_FAILED,
        pb.BatchState.BATCH_STATE_FAILED,
        pb.BatchState.BATCH_STATE_CANCELLED,
    }
)
"""Of these a batch gets out only by a retry."""

BatchCallback = Callable[[pb.Batch], object]


class AsyncBatches(Calls):
    """`client.batches`. Uploads join by `batch_id` while a batch is OPEN; it ends when it is sealed and they all have.

    Calls survive the loss of a gateway as those of the client do. Answers are the messages of `mediafleet.v1`.
    """

    @checked
    async def create(
        self,
        display_name: str = "",
        *,
        collection: str = "",
        labels: Mapping[str, str] | None = None,
        expected_items: int | None = None,
        request_id: str = "",
    ) -> pb.Batch:
        """An OPEN batch, or the one that the same `request_id` opened before, as it is now.

        Members that name no collection get the batch's. `expected_items` is a forecast, for percent and ETA.
        """
        request = pb.CreateBatchRequest(
            display_name=display_name,
            collection=collection,
            labels=labels or {},
            expected_items=expected_items,
            request_id=request_id or str(uuid.uuid4()),
        )
        return (await self._gateways.call(lambda gateway: gateway.batches.CreateBatch, request)).batch

    @checked
    async def seal(self, batch_id: str) -> pb.Batch:
        """Ends joining, so that the batch can end; may be repeated."""
        request = pb.SealBatchRequest(batch_id=batch_id)
        return (await self._gateways.call(lambda gateway: gateway.batches.SealBatch, request)).batch

    @checked
    async def get(self, batch_id: str) -> pb.Batch:
        """One batch as it is now, with its members at work."""
        request = pb.GetBatchRequest(batch_id=batch_id)
        return (await self._gateways.call(lambda gateway: gateway.batches.GetBatch, request)).batch

    @checked
    async def list(
        self,
        filter: pb.BatchFilter | None = None,  # noqa: A002 - the contract's name
        *,
        order_by: Order = "",
        page_size: int = 0,
    ) -> AsyncGenerator[pb.Batch, None]:
        """Every batch that matches, newest first unless `order_by` is `create_time`; see `AsyncClient.list`."""
        request = pb.ListBatchesRequest(filter=filter, order_by=order_by, page_size=page_size)
        async with aclosing(self._pages(lambda gateway: gateway.batches.ListBatches, request)) as pages:
            async for page in pages:
                for batch in page.batches:
                    yield batch

    @checked
    async def watch(
        self, batch_id: str, *, after_cursor: str = "", min_interval: timedelta | None = None
    ) -> AsyncGenerator[pb.BatchEvent, None]:
        """Events of one batch: a snapshot, changes of state, progress; ends after the terminal state.

        `event.WhichOneof("event")` names what an event holds: `snapshot` (a `Batch`), `state_changed` (with `state` and
        mostly the `batch`) or `progress` (percent, counts, rate, ETA, members at work). `after_cursor` is the `cursor`
        of an event seen before; `min_interval` the least time between two of progress.
        """
        request = pb.WatchBatchRequest(
            batch_id=batch_id, after_cursor=after_cursor, min_interval=duration(min_interval)
        )
        events = resumed(self._gateways, pb.BatchEvent, lambda gateway: gateway.batches.WatchBatch, request)
        async with aclosing(events):
            async for event in events:
                if not event.HasField("heartbeat"):
                    yield event

    @checked
    async def wait(
        self, batch_id: str, *, progress: BatchCallback | None = None, timeout: float | None = None
    ) -> pb.Batch:
        """The terminal batch, whatever its state; `progress` is called with the `Batch` as it becomes known."""
        batch = pb.Batch(batch_id=batch_id)
        async with within(timeout), aclosing(self.watch(batch_id)) as events:
            async for event in events:
                batch = applied(event, batch)
                if progress is not None:
                    progress(batch)
        return batch

    @checked
    async def cancel(self, batch_id: str, *, reason: str = "") -> pb.Batch:
        """Starts no member any more and stops those at work; may be repeated."""
        request = pb.CancelBatchRequest(batch_id=batch_id, reason=reason)
        return (await self._gateways.call(lambda gateway: gateway.batches.CancelBatch, request)).batch

    @checked
    async def retry(self, batch_id: str) -> pb.RetryBatchResponse:
        """Queues the failed members again, those alone; tells the `batch` and how many `retried_items` there are."""
        request = pb.RetryBatchRequest(batch_id=batch_id)
        return await self._gateways.call(lambda gateway: gateway.batches.RetryBatch, request, repeatable=False)

    @checked
    async def report(self, batch_id: str) -> AsyncGenerator[pb.BatchReportRow, None]:
        """A row for each member in order of creation, deleted ones too.

        Where a stream breaks off, another one goes on behind the last row.
        """
        patience = self._gateways.patience()
        request, last = pb.ExportBatchReportRequest(batch_id=batch_id), ""
        while True:
            gateway = self._gateways.current
            rows = gateway.batches.ExportBatchReport(request, metadata=self._gateways.metadata)
            try:
                async for row in rows:
                    if row.upload_id > last:  # ids are in order of creation
                        patience.renew()
                        last = row.upload_id
                        yield row
                return
            except grpc.aio.AioRpcError as failure:
                error = from_rpc_error(failure)
            finally:
                rows.cancel()
            self._gateways.leave(gateway, error)
            await patience.bear(error)


def applied(event: pb.BatchEvent, batch: pb.Batch) -> pb.Batch:
    """The batch after an event; `batch` is what the events before it made."""
    after = pb.Batch()
    after.CopyFrom(batch)
    match event.WhichOneof("event"):
        case "snapshot":
            return event.snapshot
        case "state_changed" if event.state_changed.HasField("batch"):
            return event.state_changed.batch
        case "state_changed":
            after.state = event.state_changed.state
        case "progress":
            after.progress.CopyFrom(event.progress)
    return after


def batch_state_name(state: pb.BatchState.ValueType) -> str:
    """`SUCCEEDED` for BATCH_STATE_SUCCEEDED; the number of a state that this release does not know."""
    try:
        return pb.BatchState.Name(state).removeprefix("BATCH_STATE_")
    except ValueError:
        return str(int(state))
