"""The ledger on Redis, put together from its groups of steps."""

from __future__ import annotations

import secrets

from mediafleet_core.ledger.caller import CallerSteps
from mediafleet_core.ledger.connection import Connection
from mediafleet_core.ledger.event_log import EventSteps
from mediafleet_core.ledger.explaining import ExplainingSteps
from mediafleet_core.ledger.figures import FiguresSteps
from mediafleet_core.ledger.fleet import FleetSteps
from mediafleet_core.ledger.history import HistorySteps
from mediafleet_core.ledger.housekeeping import HousekeepingSteps
from mediafleet_core.ledger.intake import IntakeSteps
from mediafleet_core.ledger.notices import NoticeSteps
from mediafleet_core.ledger.reconciling import ReconcilingSteps
from mediafleet_core.ledger.settings import LedgerSettings
from mediafleet_core.ledger.usage import UsageSteps
from mediafleet_core.ledger.webhooks import WebhookSteps
from mediafleet_core.ledger.work import WorkSteps


class RedisLedger(
    IntakeSteps,
    WorkSteps,
    CallerSteps,
    HistorySteps,
    HousekeepingSteps,
    FleetSteps,
    FiguresSteps,
    UsageSteps,
    ReconcilingSteps,
    WebhookSteps,
    NoticeSteps,
    ExplainingSteps,
    EventSteps,
):
    """Implements the ports Ledger and EventLog."""

    async def close(self) -> None:
        """Release the connections."""
        await self._connection.close()


async def connect(settings: LedgerSettings) -> RedisLedger:
    """A ledger on the configured Redis; the first ever to connect gives its data an epoch.

    Raises MediafleetError LEDGER_UNAVAILABLE.
    """
    connection = Connection(settings)
    key = connection.key("epoch")
    async with connection.guarded() as redis:
        await redis.set(key, secrets.token_hex(8), nx=True)
        epoch = await redis.get(key)
    return RedisLedger(connection, epoch)
