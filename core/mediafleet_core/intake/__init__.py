"""Bytes in: from a caller's stream to a durable original that waits for a worker."""

from mediafleet_core.intake.comparing import NamedPart
from mediafleet_core.intake.direct import DirectUploads, PlannedPart
from mediafleet_core.intake.importing import Importable, ImportablePage, Imports
from mediafleet_core.intake.intake import Intake, WriteStatus
from mediafleet_core.intake.settings import IntakeSettings
from mediafleet_core.intake.writing import Writer

__all__ = [
    "DirectUploads",
    "Importable",
    "ImportablePage",
    "Imports",
    "Intake",
    "IntakeSettings",
    "NamedPart",
    "PlannedPart",
    "WriteStatus",
    "Writer",
]
