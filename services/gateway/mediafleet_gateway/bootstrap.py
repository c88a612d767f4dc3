"""Builds the gateway of settings: the only place that knows the adapters."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import NamedTuple

from grpc_health.v1.health import aio as health

from mediafleet_core.batch_watching import BatchWatching
from mediafleet_core.batching import Batching
from mediafleet_core.intake.intake import Intake
from mediafleet_core.intake.settings import IntakeSettings
from mediafleet_core.ledger import LedgerSettings, connect
from mediafleet_core.lifecycle import Lifecycle
from mediafleet_core.ports import Ledger, ObjectStore
from mediafleet_core.queue import DramatiqQueue, QueueSettings, open_broker
from mediafleet_core.settings import read
from mediafleet_core.storage import StorageSettings, open_store
from mediafleet_core.watching import WatchedLedger, Watching
from mediafleet_gateway.admission import Admission
from mediafleet_gateway.auth import AnonymousVerifier, TokenVerifier
from mediafleet_gateway.batches import BatchService
from mediafleet_gateway.direct import Direct
from mediafleet_gateway.draining import Drain
from mediafleet_gateway.fleet import FleetService
from mediafleet_gateway.gateway import Gateway
from mediafleet_gateway.notifications import NotificationService
from mediafleet_gateway.server import Servicers, make_server
from mediafleet_gateway.settings import GatewaySettings
from mediafleet_gateway.uploads import Uploads
from mediafleet_gateway.usage import StorageProbe, UsageService
from mediafleet_gateway.watches import Watches
from mediafleet_gateway.wire import Wire
from mediafleet_gateway.writes import Writes


class Settings(NamedTuple):
    """Everything that a gateway is told, one part for each component."""

    gateway: GatewaySettings
    ledger: LedgerSettings
    queue: QueueSettings
    storage: StorageSettings
    intake: IntakeSettings

    @classmethod
    def from_environment(cls) -> Settings:
        """As the environment has them. Raises SettingsError."""
        return cls(
            read(GatewaySettings),
            read(LedgerSettings),
            read(QueueSettings),
            read(StorageSettings),
            read(IntakeSettings),
        )


class UploadService(Writes, Direct, Uploads, Watches):
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
        store = open_store(settings.storage)
        resources.push_async_callback(store.close)
        queue = DramatiqQueue(open_broker(settings.queue))
        resources.push_async_callback(queue.close)
        intake = Intake(ledger, store, queue, settings.intake)
        resources.push_async_callback(intake.settled)
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
        health_service = health.HealthServicer()
        servicers = Servicers(
            uploads=UploadService(settings, ledger, store, intake, lifecycle, watching, admission, drain),
            batches=BatchService(ledger, batching, BatchWatching(ledger), heartbeat=settings.gateway.watch_heartbeat),
            usage=UsageService(ledger, StorageProbe(store)),
            notifications=NotificationService(ledger),
            fleet=FleetService(ledger, queue),
            health=health_service,
        )
        server = make_server(
            servicers,
            _verifier(settings.gateway),
            admission,
            drain,
            connection_age=settings.gateway.connection_age,
            shared_port=settings.gateway.gateway_parent is not None,
        )
        return Gateway(settings.gateway, server, health_service, watching, drain, resources.pop_all())


def _verifier(settings: GatewaySettings) -> TokenVerifier:
    if not settings.token_keys:
        return AnonymousVerifier()
    from mediafleet_gateway.tokens import JwtVerifier  # here, as it loads 9 MiB for those who check tokens

    return JwtVerifier(settings.token_keys)
