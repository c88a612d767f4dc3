"""Streams of events that go on behind the last cursor, on any gateway, unseen by who reads them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from typing import TypeVar

import grpc

from mediafleet.errors import DeadlineExceeded, from_rpc_error
from mediafleet.gateways import Gateway, Gateways, logger
from mediafleet.v1.batches_pb2 import BatchEvent, WatchBatchRequest
from mediafleet.v1.uploads_pb2 import UploadEvent, WatchUploadRequest, WatchUploadsRequest

LONGEST_SILENCE = 45.0
"""Seconds without a message, three heartbeats long, after which a stream is given up as dead."""

RESUMED = ("mediafleet-watch", "resumed")
"""Header of a watch that goes on behind the cursor that it was given."""

Request = TypeVar("Request", WatchUploadRequest, WatchUploadsRequest, WatchBatchRequest)
Event = TypeVar("Event", UploadEvent, BatchEvent)


async def resumed(
    gateways: Gateways,
    kind: type[Event],
    method: Callable[[Gateway], grpc.aio.UnaryStreamMultiCallable[Request, Event]],
    request: Request,
) -> AsyncGenerator[Event, None]:
    """Every event, heartbeats too, until a stream ends with OK; the request's cursor goes on with them."""
    patience = gateways.patience()
    lost: float | None = None
    while True:
        gateway = gateways.current
        call = method(gateway)(request, metadata=gateways.metadata)
        try:
            async with asyncio.timeout(LONGEST_SILENCE):
                headers = await call.initial_metadata()
            if RESUMED in tuple(headers):  # though there may be nothing to tell for long
                patience.renew()
                if lost is not None:
                    logger.info("the watch goes on at %s after %.3f s", gateway.address, time.monotonic() - lost)
                    lost = None
            while True:
                async with asyncio.timeout(LONGEST_SILENCE):
                    event = await call.read()
                if not isinstance(event, kind):
                    await call.code()
                    return
                patience.renew()
                request.after_cursor = event.cursor or request.after_cursor
                yield event
        except grpc.aio.AioRpcError as failure:
            error = from_rpc_error(failure)
        except TimeoutError:
            error = DeadlineExceeded(f"the gateway was silent for {LONGEST_SILENCE:g} seconds")
        finally:
            call.cancel()
        lost = lost or time.monotonic()
        gateways.leave(gateway, error)
        await patience.bear(error)
