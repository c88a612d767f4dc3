"""Settings of the housekeeping."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from mediafleet_core.settings import SettingsPart


class HousekeepingSettings(SettingsPart):
    """How often the duties run and how much each does in one go."""

    housekeeping_interval: timedelta = Field(timedelta(seconds=1), gt=timedelta(0), description="Time between rounds.")
    housekeeping_lease: timedelta = Field(
        timedelta(seconds=5),
        gt=timedelta(0),
        description="How long the fleet waits for a housekeeper that stopped answering.",
    )
    figures_interval: timedelta = Field(
        timedelta(seconds=5),
        gt=timedelta(0),
        description="Time between two looks at the figures that the housekeeper shows on its metrics page.",
    )
    housekeeping_batch: int = Field(200, ge=1, description="Uploads that one duty takes on in one round.")
    stray_interval: timedelta = Field(
        timedelta(minutes=10),
        gt=timedelta(0),
        description="Time between two searches for multiparts that no record names.",
    )
    stray_age: timedelta = Field(
        timedelta(hours=1),
        gt=timedelta(0),
        description="Age at which such a multipart is aborted; longer than a writer takes to record what it began.",
    )
    batch_idle: timedelta = Field(
        timedelta(days=7), gt=timedelta(0), description="How long nothing joins an open batch before it is sealed."
    )
    batch_patience: timedelta = Field(
        timedelta(seconds=5),
        gt=timedelta(0),
        description="How long the cancel or retry of a batch may stand still before housekeeping goes on with it.",
    )
    history_interval: timedelta = Field(
        timedelta(minutes=10),
        gt=timedelta(0),
        description="Time between two looks for history that is to be archived.",
    )
    reconcile_interval: timedelta = Field(
        timedelta(hours=6),
        gt=timedelta(0),
        description="Time between two reconciliations of usage with the bucket; each lists all of it.",
    )
    usage_interval: timedelta = Field(
        timedelta(minutes=5), gt=timedelta(0), description="Time between two looks at usage for its history."
    )
    housekeeping_concurrency: int = Field(8, ge=1, description="Storage requests that one duty has under way.")

    @model_validator(mode="after")
    def _lease_outlasts_rounds(self) -> Self:
        if self.housekeeping_lease < 2 * self.housekeeping_interval:
            raise PydanticCustomError(
                "housekeeping_setting",
                "MEDIAFLEET_HOUSEKEEPING_LEASE must be at least twice MEDIAFLEET_HOUSEKEEPING_INTERVAL",
            )
        return self
