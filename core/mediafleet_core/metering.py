"""What the storage bills, on its way to the ledger, so that every process's operations are in one count."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Self
from uuid import uuid4

import structlog

from mediafleet_core.errors import MediafleetError
from mediafleet_core.identity import TenantId
from mediafleet_core.ports import UsageLedger
from mediafleet_core.usage import Operations

INTERVAL = 5.0
"""Seconds between two deliveries: what a process that is killed may not have told."""

_log = structlog.get_logger(__name__)


class Bill:
    """Operations of tenants since they were last taken; "" is nobody in particular."""

    def __init__(self) -> None:
        """Nothing was done yet."""
        self._counts: dict[TenantId, Operations] = {}

    def add(self, tenant: TenantId, more: Operations) -> None:
        """Put operations on it."""
        a, b = self._counts.get(tenant, Operations())
        self._counts[tenant] = Operations(a + more.class_a, b + more.class_b)

    def take(self) -> Mapping[TenantId, Operations]:
        """What is on it; nothing is from now on."""
        taken, self._counts = self._counts, {}
        return taken


class Metering:
    """Delivers a bill to the ledger every few seconds while it is entered, and once more at its end."""

    def __init__(self, ledger: UsageLedger, bill: Bill, interval: float = INTERVAL) -> None:
        """A ledger that is away gets it later, once."""
        self._ledger, self._bill, self._interval = ledger, bill, interval
        self._undelivered: tuple[str, Mapping[TenantId, Operations]] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="metering")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._deliver()  # what could not be told
        await self._deliver()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            await self._deliver()

    async def _deliver(self) -> None:
        if self._undelivered is None:
            counts = self._bill.take()
            if not counts:
                return
            self._undelivered = uuid4().hex, counts
        name, counts = self._undelivered
        try:
            await self._ledger.count_operations(counts, op=name)
        except MediafleetError as error:
            _log.warning("operations_not_counted", reason=error.reason)
        except Exception:
            _log.exception("operations_not_counted")
        else:
            self._undelivered = None
