"""Streams of events that go on behind the last cursor, on any gateway, unseen by who reads them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import TypeVar

import grpc

from mediafleet.errors import DeadlineExceeded, from_rpc_error
from mediafleet.gateways import Gateway, Gateways
from mediafleet.v1.uploads_pb2 import UploadEvent

LONGEST_SILENCE = 45.0
"""Seconds without a message, three heartbeats long, after which a stream is given up as dead."""

Request = TypeVar("Request")


async def resumed(
    gateways: Gateways,
    open_stream: Callable[[Gateway, str], grpc.aio.UnaryStreamCall[Request, UploadEvent]],
    cursor: str,
) -> AsyncGenerator[UploadEvent, None]:
    """Every event, heartbeats too, until a stream ends with OK; `open_stream` takes a gateway and a cursor."""
    patience = gateways.patience()
    while True:
        gateway = gateways.current
        call = open_stream(gateway, cursor)
        try:
            while True:
                async with asyncio.timeout(LONGEST_SILENCE):
                    event = await call.read()
                if not isinstance(event, UploadEvent):
                    await call.code()
                    return
                patience.renew()
                cursor = event.cursor or cursor
                yield event
        except grpc.aio.AioRpcError as failure:
            error = from_rpc_error(failure)
        except TimeoutError:
            error = DeadlineExceeded(f"the gateway was silent for {LONGEST_SILENCE:g} seconds")
        finally:
            call.cancel()
        gateways.leave(gateway, error)
        await patience.bear(error)
