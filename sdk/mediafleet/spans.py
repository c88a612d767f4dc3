"""Times and spans: as the contract writes them, and as bounds on a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from mediafleet.errors import DeadlineExceeded


def duration(span: timedelta | None) -> Duration | None:
    """The span as a message; None stays None."""
    if span is None:
        return None
    message = Duration()
    message.FromTimedelta(span)
    return message


def timestamp(time: datetime | None) -> Timestamp | None:
    """The time, which is aware of its zone, as a message; None stays None."""
    if time is None:
        return None
    made = Timestamp()
    made.FromDatetime(time)
    return made


@asynccontextmanager
async def within(seconds: float | None) -> AsyncIterator[None]:
    """Raises DeadlineExceeded if the block takes longer; None is for ever."""
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise DeadlineExceeded(f"not done within {seconds:g} seconds") from error
