"""Settings of what is told about usage."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec
from pydantic import BeforeValidator, Field, InstanceOf
from pydantic_settings import NoDecode

from mediafleet_core.prices import Prices
from mediafleet_core.settings import SettingsPart


def _prices(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value or "{}", type=Prices)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None


class UsageSettings(SettingsPart):
    """What storage costs, and how fresh figures of the whole bucket are."""

    storage_prices: Annotated[InstanceOf[Prices], NoDecode, BeforeValidator(_prices)] = Field(
        Prices(),
        description='Set JSON such as {"date": "2026-08-03", "gb_month": 0.015, "free_gb": 0}; left out means R2\'s.',
    )
    usage_cache: timedelta = Field(
        timedelta(minutes=5),
        ge=timedelta(0),
        description="Age from which a reconciliation with the bucket is renewed when somebody asks for its usage; "
        "0s renews it each time.",
    )
    usage_refresh_patience: timedelta = Field(
        timedelta(seconds=15),
        ge=timedelta(0),
        description="How long a refresh waits for the reconciliation with the bucket; 0s answers what is known.",
    )
