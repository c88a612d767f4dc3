"""Where the doorbells travel."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from mediafleet_core.settings import RedisUrl, SettingsPart


class QueueSettings(SettingsPart):
    """The broker: a Redis database that nothing else uses, since its upkeep looks at every key."""

    broker_url: RedisUrl = Field(
        "redis://127.0.0.1:6379/1",
        description="Set a redis://, rediss:// or unix:// URL of a database that holds nothing else.",
    )
    broker_namespace: str = Field("dramatiq", description="What every key of the broker starts with.")
    broker_timeout: timedelta = Field(
        timedelta(seconds=2), gt=timedelta(0), description="How long one command of the broker may take."
    )
    broker_heartbeat_timeout: timedelta = Field(
        timedelta(seconds=15),
        gt=timedelta(0),
        description="Silence after which a dead worker's bells are rung elsewhere.",
    )
    broker_maintenance_chance: int = Field(
        100_000, ge=1, le=1_000_000, description="How many of a million commands look for dead workers."
    )
