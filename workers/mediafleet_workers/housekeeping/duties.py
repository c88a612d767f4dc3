"""What the housekeeper does, each duty by itself; all of it may be repeated and run twice at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

import structlog
from prometheus_client import Counter, Gauge

from mediafleet_core import cleanup, history, manifest, reconciling
from mediafleet_core.batching import sweep_batch
from mediafleet_core.object_keys import ROOT
from mediafleet_core.ports import JobQueue, Ledger, ObjectStore, Sweep, UnfinishedMultipart
from mediafleet_core.uploads import State, Upload
from mediafleet_workers.housekeeping.exporter import Exporter
from mediafleet_workers.housekeeping.settings import HousekeepingSettings

_log = structlog.get_logger(__name__)
_Item = TypeVar("_Item")

_RECONCILE_AGAIN = timedelta(minutes=5)
"""How long after a reconciliation that failed the next one is tried, unless somebody asks."""

ORPHANS = Gauge("mediafleet_storage_orphans", "Unfinished multiparts that no record names, as last searched for.")
ARCHIVED = Counter("mediafleet_history_archived", "Records that were archived and left the ledger.", ["what"])
for _what in ("uploads", "batches"):
    ARCHIVED.labels(_what)


@dataclass(frozen=True)
class House:
    """What there is to keep; `job_lease` is the lease that workers take on a job, `exporter` shows the figures."""

    ledger: Ledger
    store: ObjectStore
    queue: JobQueue
    settings: HousekeepingSettings
    job_lease: timedelta
    exporter: Exporter = field(default_factory=Exporter)


async def ring_for_due_work(house: House) -> None:
    """Bells are lost with workers and brokers, and retries fall due silently. Who hears this one wakes the others."""
    for kind in await house.ledger.due():
        house.queue.ring(kind)


async def end_lost_leases(house: House) -> None:
    """Take jobs back from workers that stopped answering, and ring for them: they have waited long enough."""
    for upload in await house.ledger.end_lost_leases(house.job_lease):
        _log.warning("lease_lost", upload_id=upload.upload_id, tenant=upload.tenant, state=upload.state)
        if upload.state is State.QUEUED:
            house.queue.ring(upload.kind)


async def expire_uploads(house: House) -> None:
    """End uploads that were not finished in time, and drop originals that were kept for a retry long enough."""
    for upload in await house.ledger.expire(house.settings.housekeeping_batch):
        _log.info("upload_expired", upload_id=upload.upload_id, tenant=upload.tenant, state=upload.state)


async def keep_batches(house: House) -> None:
    """Seal batches that nobody adds to any more, and go on cancelling or retrying where a gateway did not live to."""
    idle, patience = house.settings.batch_idle, house.settings.batch_patience
    for batch_id in await house.ledger.idle_batches(idle, patience, house.settings.housekeeping_batch):
        members = await sweep_batch(house.ledger, house.queue, batch_id)
        _log.info("batch_swept", batch_id=batch_id, members=members)


async def finish_manifests(house: House) -> None:
    """Write the manifests that workers did not live to write."""

    async def finish(upload: Upload) -> None:
        await manifest.write(house.store, house.ledger, upload)

    await _each(house, await house.ledger.manifests(house.settings.housekeeping_batch), finish)


async def sweep_objects(house: House) -> None:
    """Delete objects that no record names any more."""

    async def sweep(planned: Sweep) -> None:
        await cleanup.sweep(house.store, house.ledger, planned)

    await _each(house, await house.ledger.sweeps(house.settings.housekeeping_batch), sweep)


async def abort_strays(house: House) -> None:
    """Abort multiparts that no record names: their writer died, or the storage's answer to its beginning was lost."""
    unfinished = [found async for found in house.store.list_multiparts(ROOT)]
    strays = await house.ledger.strays(unfinished) if unfinished else []
    ORPHANS.set(len(strays))
    before = datetime.now(UTC) - house.settings.stray_age

    async def abort(found: UnfinishedMultipart) -> None:
        await house.store.abort_multipart(found.key, found.multipart_id)
        ORPHANS.dec()
        _log.info("stray_aborted", key=found.key, begun=found.begun.isoformat())

    await _each(house, [found for found in strays if found.begun <= before], abort)


async def archive_history(house: House) -> None:
    """Archive and remove what is older than its tenant's history is kept."""
    for tenant, retention in (await house.ledger.retention()).items():
        pruned = await history.prune(house.store, house.ledger, tenant, retention, datetime.now(UTC))
        for what, count in pruned._asdict().items():
            ARCHIVED.labels(what).inc(count)
        if any(pruned):
            _log.info("history_archived", tenant=tenant, **pruned._asdict())


async def read_figures(house: House) -> None:
    """Figures of the whole fleet, for the metrics page."""
    house.exporter.show(await house.ledger.figures())


async def reconcile_usage(house: House) -> None:
    """Reconcile the counters of usage with the bucket, if that is due or somebody has asked for it."""
    found = await reconciling.reconcile(
        house.store,
        house.ledger,
        every=house.settings.reconcile_interval,
        again=min(_RECONCILE_AGAIN, house.settings.reconcile_interval),
        requests=house.settings.housekeeping_concurrency,
    )
    if found is not None:
        told = {"objects": found.listed.objects, "drift_objects": found.drift.objects}
        _log.info("usage_reconciled", bytes=found.listed.size, drift_bytes=found.drift.size, **told)


async def sample_usage(house: House) -> None:
    """Keep what is stored now, for the history of usage."""
    await house.ledger.sample_usage()


class Duty(NamedTuple):
    """One duty: its name in metrics and logs, one round of it, and the least time between two."""

    name: str
    run: Callable[[House], Awaitable[None]]
    every: Callable[[HousekeepingSettings], timedelta] = lambda _: timedelta(0)


DUTIES = (
    Duty("ring", ring_for_due_work),
    Duty("leases", end_lost_leases),
    Duty("expire", expire_uploads),
    Duty("batches", keep_batches),
    Duty("manifests", finish_manifests),
    Duty("sweeps", sweep_objects),
    Duty("strays", abort_strays, lambda settings: settings.stray_interval),
    Duty("figures", read_figures, lambda settings: settings.figures_interval),
    Duty("history", archive_history, lambda settings: settings.history_interval),
    Duty("reconcile", reconcile_usage),
    Duty("usage", sample_usage, lambda settings: settings.usage_interval),
)


async def _each(house: House, items: Sequence[_Item], act: Callable[[_Item], Awaitable[None]]) -> None:
    """Act on every item, a few at once; raises what went wrong only after each had its turn."""
    turns = asyncio.Semaphore(house.settings.housekeeping_concurrency)

    async def take(item: _Item) -> None:
        async with turns:
            await act(item)

    results = await asyncio.gather(*map(take, items), return_exceptions=True)
    if errors := [result for result in results if isinstance(result, Exception)]:
        raise ExceptionGroup(f"{len(errors)} of {len(items)} failed", errors)
