"""Builds the gateway of settings: the only place that knows the adapters."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import NamedTuple

import structlog
from grpc_health.v1.health import aio as health

from mediafleet_core.batch_watching import BatchWatching
from mediafleet_core.batching import Batching
from mediafleet_core.explaining import Explaining
from mediafleet_core.intake.intake import Intake
from mediafleet_core.intake.settings import IntakeSettings
from mediafleet_core.ledger import LedgerSettings, connect
from mediafleet_core.lifecycle import Lifecycle
from mediafleet_core.metering import Bill, Metering
from mediafleet_core.ports import Ledger, ObjectStore
from mediafleet_core.queue import DramatiqQueue, QueueSettings, open_broker
from mediafleet_core.settings import read
from mediafleet_core.storage import Backend, StorageSettings, open_store, read_forgiving
from mediafleet_core.watching import WatchedLedger, Watching
from mediafleet_gateway.admission import Admission
from mediafleet_gateway.auth import AnonymousVerifier, TokenVerifier
from mediafleet_gateway.batches import BatchService
from mediafleet_gateway.direct import Direct
from mediafleet_gateway.draining import Drain
from mediafleet_gateway.fleet import FleetService
from mediafleet_gateway.gateway import Gateway
from mediafleet_gateway.imports import ImportMethods
from mediafleet_gateway.notifications import NotificationService
from mediafleet_gateway.server import Servicers, make_server
from mediafleet_gateway.settings import GatewaySettings
from mediafleet_gateway.storage_probe import StorageProbe
from mediafleet_gateway.uploads import Uploads
from mediafleet_gateway.usage import UsageService
from mediafleet_gateway.usage_settings import UsageSettings
from mediafleet_gateway.watches import Watches
from mediafleet_gateway.wire import Wire
from mediafleet_gateway.writes import Writes

_log = structlog.get_logger(__name__)


class Settings(NamedTuple):
    """Everything that a gateway is told, one part for each component."""

    gateway: GatewaySettings
    ledger: LedgerSettings
    queue: QueueSettings
    storage: StorageSettings
    intake: IntakeSettings
    usage: UsageSettings

    @classmethod
    def from_environment(cls) -> Settings:
        """As the environment has them. Raises SettingsError, in development not for those of the storage."""
        gateway = read(GatewaySettings)
        return cls(
            gateway,
            read(LedgerSettings),
            read(QueueSettings),
            read(StorageSettings) if gateway.environment == "production" else read_forgiving(),
            read(IntakeSettings),
            read(UsageSettings),
        )


class UploadService(Writes, Direct, ImportMethods, Uploads, Watches):
    """UploadService, put together from its groups of methods."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        store: ObjectStore,
        intake: Intake,
        lifecycle: Lifecycle,
        watching: Watching,
        admission: Admission,
        drain: Drain,
    ) -> None:
        """Each group gets what it needs."""
        Writes.__init__(self, intake, settings.gateway.limits_of, admission, drain)
        Direct.__init__(self, intake.direct, settings.gateway.limits_of)
        ImportMethods.__init__(self, intake.imports, settings.gateway.limits_of)
        Uploads.__init__(self, ledger, store, lifecycle)
        Watches.__init__(self, watching, Wire(ledger, settings.gateway.watch_heartbeat), drain)


async def build(settings: Settings, *, ledger: WatchedLedger | None = None) -> Gateway:
    """A gateway that is not started yet; `ledger` stands in for the one that the settings name.

    Raises MediafleetError LEDGER_UNAVAILABLE.
    """
    async with AsyncExitStack() as resources:
        if ledger is None:
            connected = await connect(settings.ledger)
            resources.push_async_callback(connected.close)
            ledger = connected
        await ledger.set_retention(settings.gateway.retention)
        bill = Bill()
        store = open_store(settings.storage, bill)
        if settings.storage.problem:
            _log.error("storage_misconfigured", problem=settings.storage.problem)
        resources.push_async_callback(store.close)
        await resources.enter_async_context(Metering(ledger, bill))
        queue = DramatiqQueue(open_broker(settings.queue))
        resources.push_async_callback(queue.close)
        intake = Intake(ledger, store, queue, settings.intake)
        resources.push_async_callback(intake.settled)
        resources.push_async_callback(intake.imports.close)
        lifecycle = Lifecycle(ledger, store, queue, max_attempts=settings.intake.max_attempts)
        resources.push_async_callback(lifecycle.settled)
        batching = Batching(ledger, queue, max_attempts=settings.intake.max_attempts)
        resources.push_async_callback(batching.settled)
        watching = Watching(ledger, heartbeat=settings.gateway.watch_heartbeat)
        drain = Drain()
        admission = Admission(
            settings.gateway.max_uploads,
            settings.gateway.max_upload_bytes,
            settings.gateway.limits_of,
            settings.gateway.method_limits,
        )
        probe = StorageProbe(store)
        resources.push_async_callback(probe.close)
        prices = None if settings.storage.backend is Backend.LOCAL else settings.usage.storage_prices
        health_service = health.HealthServicer()
        servicers = Servicers(
            uploads=UploadService(settings, ledger, store, intake, lifecycle, watching, admission, drain),
            batches=BatchService(
                ledger, batching, BatchWatching(ledger), drain, heartbeat=settings.gateway.watch_heartbeat
            ),
            usage=UsageService(ledger, probe, settings.usage, prices, settings.gateway.limits_of),
            notifications=NotificationService(ledger),
            fleet=FleetService(ledger, queue, Explaining(ledger, store)),
            health=health_service,
        )
        server = make_server(
            servicers,
            _verifier(settings.gateway),
            admission,
            drain,
            connection_age=settings.gateway.connection_age,
            shared_port=settings.gateway.gateway_tether is not None,
        )
        return Gateway(settings.gateway, server, health_service, watching, drain, resources.pop_all())


def _verifier(settings: GatewaySettings) -> TokenVerifier:
    if not settings.token_keys:
        _log.warning("no_token_key", meaning="without MEDIAFLEET_TOKEN_KEY every caller on this machine may do all")
        return AnonymousVerifier()
    from mediafleet_gateway.tokens import JwtVerifier  # here, as it loads 9 MiB for those who check tokens

    return JwtVerifier(settings.token_keys)
