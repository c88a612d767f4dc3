"""What everything that receives bytes shares."""

from __future__ import annotations

from typing import NamedTuple

from mediafleet_core.detached import Detached
from mediafleet_core.intake.budget import ByteBudget
from mediafleet_core.intake.settings import IntakeSettings
from mediafleet_core.ports import JobQueue, Ledger, ObjectStore


class Works(NamedTuple):
    """What the writers of a process share."""

    ledger: Ledger
    store: ObjectStore
    queue: JobQueue
    settings: IntakeSettings
    budget: ByteBudget
    detached: Detached
