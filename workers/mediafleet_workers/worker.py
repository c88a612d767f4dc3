"""A worker process put together: how it starts, drains and stops."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import structlog
from dramatiq import Worker

from mediafleet_core.telemetry.health import Health
from mediafleet_core.telemetry.metrics import Address, serve
from mediafleet_workers.housekeeping import Housekeeping
from mediafleet_workers.jobs.runner import JobRunner
from mediafleet_workers.jobs.slots import Slots
from mediafleet_workers.presence import Presence
from mediafleet_workers.sandbox.sandbox import Sandbox
from mediafleet_workers.scratch import Scratch
from mediafleet_workers.settings import WorkerSettings
from mediafleet_workers.webhooks import Webhooks

_log = structlog.get_logger(__name__)

_LAST_STEPS = 5.0
"""Seconds that the ends of given back jobs may take."""


class WorkerProcess:
    """Made by `bootstrap.build`."""

    def __init__(
        self,
        settings: WorkerSettings,
        scratch: Scratch,
        sandbox: Sandbox,
        runner: JobRunner,
        slots: Slots,
        bells: Worker | None,
        housekeeping: Housekeeping,
        presence: Presence,
        webhooks: Webhooks,
        resources: AsyncExitStack,
    ) -> None:
        """`resources` are released at the end; without `bells` it works on nothing and needs no sandbox."""
        self._settings, self._scratch, self._sandbox, self._runner = settings, scratch, sandbox, runner
        self._slots, self._bells, self._housekeeping, self._presence = slots, bells, housekeeping, presence
        self._webhooks, self._resources = webhooks, resources
        self._stopping = asyncio.Event()
        self._keeping: list[asyncio.Task[None]] = []
        self._listening = False
        self._health = Health()
        self.metrics_address: Address | None = None

    @property
    def sandbox_pid(self) -> int | None:
        """The process whose children run the jobs; None while there is none."""
        return self._sandbox.pid

    async def start(self) -> None:
        """Begin to work. Raises SandboxUnavailable, OSError when the metrics page cannot listen."""
        if self._bells is not None:
            async with self._scratch.job_folder() as folder:
                await self._sandbox.start(folder, strict=self._settings.environment == "production")
        page = serve(self._settings.metrics_address, "worker", self._health)
        self._resources.push_async_callback(asyncio.to_thread, page.close)
        self.metrics_address = page.address
        self._keeping = [
            asyncio.create_task(keeping.run(self._stopping))
            for keeping in (self._housekeeping, self._presence, self._webhooks)
        ]
        if self._bells is not None:
            self._bells.start()
            self._listening = True
        _log.info(
            "ready", kinds=self._settings.worker_kinds, slots=self._settings.worker_slots, metrics=str(page.address)
        )
        self._health.ready = True

    async def drain(self) -> None:
        """Claim nothing more; let jobs go on for the grace, then give the rest back without counting an attempt."""
        _log.info("draining")
        self._health.ready = False
        self._slots.close()
        grace = self._settings.worker_grace.total_seconds()
        stopped = asyncio.create_task(self._stop_listening(grace + _LAST_STEPS))
        await asyncio.wait([stopped], timeout=grace)
        self._runner.give_back()
        await stopped

    async def stop(self) -> None:
        """End at once: running jobs are given back. Safe after `drain`, and after a failed start."""
        self._slots.close()
        self._runner.give_back()
        await self._stop_listening(_LAST_STEPS)
        self._stopping.set()
        await asyncio.gather(*self._keeping)
        await self._resources.aclose()

    async def _stop_listening(self, patience: float) -> None:
        """Once; until the jobs in hand have ended, though for no longer than `patience` seconds."""
        if self._bells is not None and self._listening:
            self._listening = False
            await asyncio.to_thread(self._bells.stop, round(patience * 1000))
