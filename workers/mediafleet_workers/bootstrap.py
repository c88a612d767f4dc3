"""Builds the worker of settings: the only place that knows the adapters."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import NamedTuple

from mediafleet_core.ledger import LedgerSettings, connect
from mediafleet_core.metering import Bill, Metering
from mediafleet_core.queue import DramatiqQueue, QueueSettings, open_broker
from mediafleet_core.settings import SettingsError, read
from mediafleet_core.storage import Backend, StorageSettings, open_store
from mediafleet_workers import actors, decoding
from mediafleet_workers.housekeeping import Housekeeping, HousekeepingSettings
from mediafleet_workers.jobs.runner import JobRunner
from mediafleet_workers.jobs.slots import Slots
from mediafleet_workers.presence import Presence
from mediafleet_workers.sandbox.sandbox import Sandbox
from mediafleet_workers.sandbox.settings import SandboxSettings
from mediafleet_workers.scratch import Scratch
from mediafleet_workers.settings import JobSettings, WorkerSettings
from mediafleet_workers.webhooks import Webhooks, WebhookSettings
from mediafleet_workers.worker import WorkerProcess


class Settings(NamedTuple):
    """Everything that a worker is told, one part for each component."""

    worker: WorkerSettings
    job: JobSettings
    sandbox: SandboxSettings
    housekeeping: HousekeepingSettings
    ledger: LedgerSettings
    queue: QueueSettings
    storage: StorageSettings
    webhooks: WebhookSettings

    @classmethod
    def from_environment(cls) -> Settings:
        """As the environment has them. Raises SettingsError, also where there is no storage to work on."""
        return cls(
            read(WorkerSettings),
            read(JobSettings),
            read(SandboxSettings),
            read(HousekeepingSettings),
            read(LedgerSettings),
            read(QueueSettings),
            _storage(),
            read(WebhookSettings),
        )


def _storage() -> StorageSettings:
    settings = read(StorageSettings)
    if settings.backend is Backend.OFF:
        raise SettingsError(f"{settings.off_by}: a worker needs a storage. Name one, or run no workers meanwhile.")
    return settings


async def build(settings: Settings) -> WorkerProcess:
    """A worker that is not started yet. Raises MediafleetError LEDGER_UNAVAILABLE."""
    async with AsyncExitStack() as resources:
        ledger = await connect(settings.ledger)
        resources.push_async_callback(ledger.close)
        bill = Bill()
        store = open_store(settings.storage, bill)
        resources.push_async_callback(store.close)
        await resources.enter_async_context(Metering(ledger, bill))
        broker = open_broker(settings.queue)
        queue = DramatiqQueue(broker)
        resources.push_async_callback(queue.close)
        scratch = Scratch(settings.worker.scratch_dir)
        resources.push_async_callback(asyncio.to_thread, scratch.close)
        sandbox = Sandbox(settings.sandbox, decoding.ENTRY, preload=(decoding.__name__,))
        resources.push_async_callback(sandbox.close)
        runner = JobRunner(ledger, store, sandbox, scratch, settings.job, settings.worker.worker_name)
        slots = Slots(ledger, queue, runner, settings.worker, settings.job)
        return WorkerProcess(
            settings=settings.worker,
            scratch=scratch,
            sandbox=sandbox,
            runner=runner,
            slots=slots,
            bells=actors.listen(broker, settings.worker.worker_kinds, settings.worker.worker_slots, slots.answer),
            housekeeping=Housekeeping(ledger, store, queue, settings.housekeeping, job_lease=settings.job.job_lease),
            presence=Presence(ledger, settings.worker, runner.current),
            webhooks=Webhooks(ledger, settings.webhooks),
            resources=resources.pop_all(),
        )
    raise AssertionError("unreachable")  # the stack swallows nothing
