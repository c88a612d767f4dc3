"""Tells the fleet that this worker is there, and what it works on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from uuid import uuid4

import msgspec
import structlog

from mediafleet_core.errors import MediafleetError
from mediafleet_core.fleet import WorkerSign
from mediafleet_core.identity import UploadId
from mediafleet_core.ports import FleetLedger
from mediafleet_workers.settings import WorkerSettings

_log = structlog.get_logger(__name__)

_INTERVAL = 2.0
"""Seconds between two signs of life."""

_EXPIRY = timedelta(seconds=10)
"""Silence after which a worker is no longer shown."""


class Presence:
    """Signs of life from the start of a worker to its end; a ledger that is away costs nothing but them."""

    def __init__(self, ledger: FleetLedger, settings: WorkerSettings, current: Mapping[UploadId, datetime]) -> None:
        """`current` is what the worker has in hand, looked at with each sign."""
        self._ledger, self._current = ledger, current
        self._sign = WorkerSign(
            worker_id=f"{settings.worker_name}/{uuid4().hex[:12]}",
            host=socket.gethostname(),
            version=version("mediafleet-workers"),
            kinds=settings.worker_kinds,
            slots=settings.worker_slots if settings.worker_kinds else 0,
            start_time=datetime.now(UTC),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Give signs until `stop` is set, then take leave; nothing that fails ends it."""
        while not stop.is_set():
            sign = msgspec.structs.replace(self._sign, current=dict(self._current))
            await _tried("heartbeat_lost", self._ledger.heartbeat(sign, _EXPIRY))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _INTERVAL)
        await _tried("departure_lost", self._ledger.depart(self._sign.worker_id))


async def _tried(event: str, step: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(_INTERVAL):
            await step
    except (MediafleetError, TimeoutError) as error:
        _log.warning(event, error=repr(error))
    except Exception:
        _log.exception(event)
