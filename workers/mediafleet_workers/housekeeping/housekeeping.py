"""The housekeeper's rounds."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import socket
import time
from datetime import timedelta

import structlog
from prometheus_client import Counter, Gauge

from mediafleet_core.errors import MediafleetError
from mediafleet_core.identity import new_upload_id
from mediafleet_core.ports import JobQueue, Ledger, ObjectStore
from mediafleet_workers.housekeeping.duties import DUTIES, ORPHANS, Duty, House
from mediafleet_workers.housekeeping.settings import HousekeepingSettings

_log = structlog.get_logger(__name__)

LEADER = Gauge("mediafleet_housekeeping_leader", "1 while this process does the housekeeping.")
LAST_SUCCESS = Gauge(
    "mediafleet_housekeeping_last_success_timestamp_seconds",
    "When this process last did a duty to its end; take the maximum over processes.",
    ["duty"],
)
FAILURES = Counter("mediafleet_housekeeping_failures", "Rounds of a duty that failed.", ["duty"])
for _duty in DUTIES:
    LAST_SUCCESS.labels(_duty.name)
    FAILURES.labels(_duty.name)


class Housekeeping:
    """Every worker process runs this; the ledger lets one at a time do the duties.

    Duties run side by side, so a slow storage delays no bell; one that is still busy is left alone that round.
    """

    def __init__(
        self,
        ledger: Ledger,
        store: ObjectStore,
        queue: JobQueue,
        settings: HousekeepingSettings,
        *,
        job_lease: timedelta,
    ) -> None:
        """`job_lease` is the lease that workers take on a job."""
        self._house = House(ledger, store, queue, settings, job_lease)
        self._owner = f"{socket.gethostname()}/{os.getpid()}/{new_upload_id()}"
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._begun: dict[str, float] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Do the duties, whenever leading, until `stop` is set; nothing that fails ends it."""
        interval = self._house.settings.housekeeping_interval.total_seconds()
        with self._house.exporter.on_page():
            try:
                while not stop.is_set():
                    await self._round()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), interval)
            finally:
                self._follow()
                running = [task for task in self._busy.values() if not task.done()]
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)

    async def _round(self) -> None:
        until = time.monotonic() + self._house.settings.housekeeping_lease.total_seconds()
        leading = await self._lead()
        if leading:
            self._house.exporter.lead(until)
        elif leading is not None:
            self._follow()
        LEADER.set(bool(leading))
        now = time.monotonic()
        for duty in DUTIES if leading else ():
            busy = self._busy.get(duty.name)
            pause = duty.every(self._house.settings).total_seconds()
            if (busy is None or busy.done()) and now - self._begun.get(duty.name, -math.inf) >= pause:
                self._begun[duty.name] = now
                self._busy[duty.name] = asyncio.create_task(self._do(duty), name=f"housekeeping-{duty.name}")

    def _follow(self) -> None:
        """What is counted over the whole fleet is the leader's to show."""
        LEADER.set(0)
        ORPHANS.set(0)
        self._house.exporter.follow()

    async def _lead(self) -> bool | None:
        """None while the ledger does not say."""
        try:
            return await self._house.ledger.lead(
                self._owner, self._house.settings.housekeeping_lease, job_lease=self._house.job_lease
            )
        except MediafleetError as error:
            _log.warning("housekeeping_interrupted", reason=error.reason)
        except Exception:
            _log.exception("housekeeping_interrupted")
        return None

    async def _do(self, duty: Duty) -> None:
        try:
            await duty.run(self._house)
        except MediafleetError as error:
            FAILURES.labels(duty.name).inc()
            _log.warning("duty_failed", duty=duty.name, reason=error.reason)
        except Exception:
            FAILURES.labels(duty.name).inc()
            _log.exception("duty_failed", duty=duty.name)
        else:
            LAST_SUCCESS.labels(duty.name).set(time.time())
