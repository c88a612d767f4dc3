"""The whole ledger."""

from __future__ import annotations

from typing import Protocol

from mediafleet_core.ports.batches import BatchLedger
from mediafleet_core.ports.caller import CallerLedger
from mediafleet_core.ports.explaining import ExplainingLedger
from mediafleet_core.ports.figures import FiguresLedger
from mediafleet_core.ports.fleet import FleetLedger
from mediafleet_core.ports.history import HistoryLedger
from mediafleet_core.ports.housekeeping import HousekeepingLedger
from mediafleet_core.ports.intake import IntakeLedger
from mediafleet_core.ports.notices import NoticeLedger
from mediafleet_core.ports.reading import ReadingLedger
from mediafleet_core.ports.usage import UsageLedger
from mediafleet_core.ports.webhooks import WebhookLedger
from mediafleet_core.ports.work import WorkLedger


class Ledger(
    IntakeLedger,
    WorkLedger,
    CallerLedger,
    ReadingLedger,
    UsageLedger,
    BatchLedger,
    HistoryLedger,
    HousekeepingLedger,
    FleetLedger,
    FiguresLedger,
    WebhookLedger,
    NoticeLedger,
    ExplainingLedger,
    Protocol,
):
    """The one place where records live and change. Every change is one atomic step, safe to repeat by its `op`.

    `op` names the step; a repeat with the same `op` answers what the first one did. It is made afresh when left out,
    which still covers a client library that sends a script twice.
    """
