"""What is counted of watches: those of batches too, and no lateness that is the watcher's own."""

from __future__ import annotations

from typing import Any

import grpc

from mediafleet.v1 import batches_pb2, uploads_pb2
from mediafleet.v1.batches_pb2_grpc import BatchServiceStub
from tests.gateways import ANN, Reached, create
from tests.pages import key, page
from tests.waiting import eventually

OPEN = key("mediafleet_watch_streams")
LAGS = key("mediafleet_watch_event_lag_seconds_count")


async def sample(reached: Reached, name: tuple[str, frozenset[tuple[str, str]]]) -> float:
    return (await page(reached.gateway.metrics_address))[name]


async def until_none_is_open(reached: Reached) -> None:
    async def none() -> bool:
        return await sample(reached, OPEN) == 0

    await eventually(none, message="the watch to be over")


async def test_a_watch_of_a_batch_counts_until_the_drain_ends_it(reached: Reached) -> None:
    batches: Any = BatchServiceStub(reached.channel)
    made = await batches.CreateBatch(batches_pb2.CreateBatchRequest(), metadata=ANN)
    drained = key("mediafleet_watch_closed_total", reason="draining")
    before = await sample(reached, drained)
    watch = batches.WatchBatch(batches_pb2.WatchBatchRequest(batch_id=made.batch.batch_id), metadata=ANN)
    assert (await watch.read()).HasField("snapshot")
    assert await sample(reached, OPEN) == 1
    await reached.gateway.drain()
    await until_none_is_open(reached)
    assert await watch.code() is grpc.StatusCode.UNAVAILABLE
    assert await sample(reached, drained) == before + 1


async def test_what_happened_while_a_watcher_was_away_was_not_late(reached: Reached) -> None:
    made = await create(reached)
    request = uploads_pb2.WatchUploadsRequest()
    first: Any = reached.uploads.WatchUploads(request, metadata=ANN)
    while not (event := await first.read()).cursor:
        pass
    first.cancel()
    await until_none_is_open(reached)
    before = await sample(reached, LAGS)
    await reached.uploads.CancelUpload(uploads_pb2.CancelUploadRequest(upload_id=made.upload_id), metadata=ANN)
    request.after_cursor = event.cursor
    second: Any = reached.uploads.WatchUploads(request, metadata=ANN)
    assert (await second.read()).state_changed.state == uploads_pb2.UPLOAD_STATE_CANCELLED
    assert await sample(reached, LAGS) == before
    await create(reached)
    assert (await second.read()).state_changed.state == uploads_pb2.UPLOAD_STATE_RECEIVING
    assert await sample(reached, LAGS) == before + 1
    second.cancel()
