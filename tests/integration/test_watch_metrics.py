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


async def test_a_watch_of_a_batch_counts_until_the_drain_hands_it_over(reached: Reached) -> None:
    batches: Any = BatchServiceStub(reached.channel)
    made = await batches.CreateBatch(batches_pb2.CreateBatchRequest(), metadata=ANN)
    before = await page(reached.gateway.metrics_address)
    request = batches_pb2.WatchBatchRequest(batch_id=made.batch.batch_id)
    first = batches.WatchBatch(request, metadata=ANN)
    request.after_cursor = (await first.read()).cursor
    first.cancel()
    await until_none_is_open(reached)
    watch = batches.WatchBatch(request, metadata=ANN)
    await watch.initial_metadata()
    assert await sample(reached, OPEN) == 1
    await reached.gateway.drain()
    assert await watch.code() is grpc.StatusCode.UNAVAILABLE
    await until_none_is_open(reached)
    after = await page(reached.gateway.metrics_address)
    method = {"grpc_type": "server_stream", "grpc_service": "mediafleet.v1.BatchService", "grpc_method": "WatchBatch"}
    # The alerts take the second from the third: a hand-over is no error.
    for counted in (
        key("mediafleet_watch_resumes_total", outcome="resumed"),
        key("mediafleet_watch_closed_total", reason="client"),
        key("mediafleet_watch_closed_total", reason="draining"),
        key("mediafleet_rejected_total", reason="DRAINING"),
        key("grpc_server_handled_total", **method, grpc_code="UNAVAILABLE"),
    ):
        assert after[counted] == before[counted] + 1, counted


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
