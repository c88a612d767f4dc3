"""What mediafleet needs from the world: small async protocols. Adapters live in `ledger`, `storage` and `queue`.

Every method may raise `MediafleetError`: LEDGER_UNAVAILABLE, STORAGE_UNAVAILABLE or STORAGE_DENIED when the other side
is away or refuses, besides the reasons it names.
"""

from mediafleet_core.ports.batches import BatchFilter, BatchLedger, BatchPage, Swept
from mediafleet_core.ports.caller import CallerLedger
from mediafleet_core.ports.event_log import EventLog, History
from mediafleet_core.ports.explaining import ExplainingLedger, Standing
from mediafleet_core.ports.figures import Figures, FiguresLedger, ServerFigures
from mediafleet_core.ports.fleet import FleetLedger
from mediafleet_core.ports.history import HistoryLedger, Retention
from mediafleet_core.ports.housekeeping import HousekeepingLedger, Sweep
from mediafleet_core.ports.intake import IntakeLedger, Original, RequestKey, WriteSession
from mediafleet_core.ports.job_queue import JobQueue
from mediafleet_core.ports.ledger import Ledger
from mediafleet_core.ports.notices import BatchNotice, Notice, NoticeLedger, NoticePage, UploadNotice
from mediafleet_core.ports.object_store import (
    Chunks,
    ObjectStore,
    SignedPut,
    StoredObject,
    StoredPart,
    UnfinishedMultipart,
    UploadedPart,
)
from mediafleet_core.ports.reading import Page, ReadingLedger, UploadFilter
from mediafleet_core.ports.usage import Compared, ListedUpload, UsageLedger
from mediafleet_core.ports.webhooks import TryOutcome, WebhookLedger, WebhookMessage, WebhookTry
from mediafleet_core.ports.work import AttemptFailed, Claim, Outcome, Verdict, WorkLedger

__all__ = [
    "AttemptFailed",
    "BatchFilter",
    "BatchLedger",
    "BatchNotice",
    "BatchPage",
    "CallerLedger",
    "Chunks",
    "Claim",
    "Compared",
    "EventLog",
    "ExplainingLedger",
    "Figures",
    "FiguresLedger",
    "FleetLedger",
    "History",
    "HistoryLedger",
    "HousekeepingLedger",
    "IntakeLedger",
    "JobQueue",
    "Ledger",
    "ListedUpload",
    "Notice",
    "NoticeLedger",
    "NoticePage",
    "ObjectStore",
    "Original",
    "Outcome",
    "Page",
    "ReadingLedger",
    "RequestKey",
    "Retention",
    "ServerFigures",
    "SignedPut",
    "Standing",
    "StoredObject",
    "StoredPart",
    "Sweep",
    "Swept",
    "TryOutcome",
    "UnfinishedMultipart",
    "UploadFilter",
    "UploadNotice",
    "UploadedPart",
    "UsageLedger",
    "Verdict",
    "WebhookLedger",
    "WebhookMessage",
    "WebhookTry",
    "WorkLedger",
    "WriteSession",
]
