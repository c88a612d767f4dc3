"""The gateway as one object: start, drain, stop."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack
from datetime import timedelta

import grpc
import structlog
from grpc_health.v1.health import OVERALL_HEALTH
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2 import HealthCheckResponse

from mediafleet_core.settings import SettingsError
from mediafleet_core.telemetry.metrics import Address, address, serve
from mediafleet_core.watching import Watching
from mediafleet_gateway import metrics
from mediafleet_gateway.draining import Drain
from mediafleet_gateway.server import SERVICES
from mediafleet_gateway.settings import GatewaySettings

_log = structlog.get_logger(__name__)

LIVENESS = "liveness"
"""The health service that tells whether this process still answers; it drains, too, while it does."""

_LAG_INTERVAL = 0.25


class Gateway:
    """One gateway in this process; made by `bootstrap.build`."""

    def __init__(
        self,
        settings: GatewaySettings,
        server: grpc.aio.Server,
        health_service: health.HealthServicer,
        watching: Watching,
        drain: Drain,
        resources: AsyncExitStack,
    ) -> None:
        """`resources` are closed when the gateway has stopped."""
        self._settings = settings
        self._server = server
        self._health = health_service
        self._watching = watching
        self._drain = drain
        self._resources = resources
        self.address = address(settings.gateway_address)
        self.metrics_address = address(settings.metrics_address)

    async def start(self) -> None:
        """Listen, on the ports that `address` and `metrics_address` then tell.

        Raises SettingsError when an address cannot be bound, MediafleetError when the ledger is away.
        """
        await self._resources.enter_async_context(self._watching)
        self.metrics_address = self._serve_metrics()
        self.address = self._bind()
        await self._server.start()
        lag = asyncio.create_task(_measure_lag())
        self._resources.callback(lag.cancel)
        for service in (LIVENESS, *SERVICES):
            await self._health.set(service, HealthCheckResponse.SERVING)
        metrics.DRAINING.set(0)
        _log.info("gateway_started", address=str(self.address), metrics=str(self.metrics_address))

    async def drain(self) -> None:
        """Say NOT_SERVING, then end every watch and let writers suspend; calls with one answer go on."""
        metrics.DRAINING.set(1)
        _log.info("gateway_draining")
        for service in (OVERALL_HEALTH, *SERVICES):
            await self._health.set(service, HealthCheckResponse.NOT_SERVING)
        self._drain.begin()

    async def stop(self, grace: timedelta | None = None) -> None:
        """Refuse new calls, give those under way `grace` (else the configured one), release everything."""
        try:
            await self._server.stop((self._settings.drain_grace if grace is None else grace).total_seconds())
        finally:
            await self._resources.aclose()
        _log.info("gateway_stopped")

    def _bind(self) -> Address:
        try:
            port = self._server.add_insecure_port(str(self.address))
        except RuntimeError:
            raise SettingsError(f"MEDIAFLEET_GATEWAY_ADDRESS: cannot listen on {self.address}; is it in use?") from None
        return self.address._replace(port=port)

    def _serve_metrics(self) -> Address:
        try:
            page = serve(self._settings.metrics_address, "gateway")
        except OSError:
            raise SettingsError(
                f"MEDIAFLEET_METRICS_ADDRESS: cannot listen on {self.metrics_address}; is it in use?"
            ) from None
        self._resources.push_async_callback(asyncio.to_thread, page.close)
        return page.address


async def _measure_lag() -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            due = loop.time() + _LAG_INTERVAL
            await asyncio.sleep(_LAG_INTERVAL)
            metrics.LOOP_LAG.observe(max(0.0, loop.time() - due))
