"""The ledger on Redis, put together from its groups of steps."""

from __future__ import annotations

import secrets

from mediafleet_core.errors import MediafleetError
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
from mediafleet_core.settings import without_credentials


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

    Raises MediafleetError LEDGER_UNAVAILABLE, which names the setting, and the address without its credentials.
    """
    connection = Connection(settings)
    key = connection.key("epoch")
    try:
        async with connection.guarded() as redis:
            await redis.set(key, secrets.token_hex(8), nx=True)
            epoch = await redis.get(key)
    except MediafleetError as error:
        where = without_credentials(settings.ledger_url)
        text = f"MEDIAFLEET_LEDGER_URL: the ledger does not answer at {where} ({error.__cause__})"
        raise MediafleetError(error.reason, text, retry_after=error.retry_after) from error
    return RedisLedger(connection, epoch)
