"""Settings of the ledger."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from mediafleet_core.settings import RedisUrl, SettingsPart


class LedgerSettings(SettingsPart):
    """Where the ledger lives, and how long it remembers."""

    ledger_url: RedisUrl = Field(
        "redis://127.0.0.1:6379/0", description="Set a redis://, rediss:// or unix:// URL of a Redis with AOF."
    )
    ledger_prefix: str = Field("mf:", description="What every key of this mediafleet starts with.")
    events_kept: int = Field(100_000, ge=100, description="State changes that the event log keeps, about.")
    retry_retention: timedelta = Field(
        timedelta(days=7),
        ge=timedelta(0),
        description="How long the original of a failed or cancelled upload is kept for a retry; 0s keeps none.",
    )
    sweep_again_after: timedelta = Field(
        timedelta(seconds=180),
        gt=timedelta(0),
        description="When a sweep of objects is repeated: when no write to the storage can be under way any more.",
    )
