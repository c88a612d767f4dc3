"""Settings of a worker process."""

from __future__ import annotations

import os
import socket
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from mediafleet_core.media_types import MediaKind
from mediafleet_core.settings import SettingsPart
from mediafleet_core.telemetry.metrics import address


class WorkerSettings(SettingsPart):
    """What a worker works on, where, and how it ends."""

    metrics_address: str = Field("127.0.0.1:0", description="Set host:port; port 0 lets the system choose.")
    environment: Literal["development", "production"] = Field("development", description="development or production.")
    worker_kinds: Annotated[tuple[MediaKind, ...], NoDecode] = Field(
        tuple(MediaKind),
        description="Some of IMAGE, AUDIO, VIDEO, DOCUMENT, OTHER, by commas; empty for one that only keeps house.",
    )
    worker_slots: int = Field(2, ge=1, le=64, description="Jobs at once.")
    worker_name: str = Field(
        default_factory=lambda: f"{socket.gethostname()}/{os.getpid()}",
        description="What this worker is called in failed attempts.",
    )
    worker_grace: timedelta = Field(
        timedelta(seconds=20),
        ge=timedelta(0),
        description="How long jobs may go on after SIGTERM before they are given back; 0s gives them back at once.",
    )
    scratch_dir: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()) / "mediafleet-scratch",
        description="A folder on a fast local disk; workers may share it.",
    )

    @field_validator("worker_kinds", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return [name.strip().upper() for name in value.split(",")] if value.strip() else []

    @field_validator("metrics_address")
    @classmethod
    def _is_address(cls, value: str) -> str:
        address(value)
        return value


class JobSettings(SettingsPart):
    """How one job is held, limited and tried again."""

    job_lease: timedelta = Field(
        timedelta(seconds=6), gt=timedelta(0), description="Silence after which a job is given to another."
    )
    job_renew_interval: timedelta = Field(
        timedelta(milliseconds=200),
        gt=timedelta(0),
        description="Time between two renewals: also until a cancel is seen.",
    )
    job_patience: timedelta = Field(
        timedelta(minutes=2),
        ge=timedelta(0),
        description="How long a finished job waits for a ledger that does not answer; 0s leaves it to be done again.",
    )
    job_pixels: int = Field(120_000_000, ge=1, description="Pixels that a picture may have.")
    job_frames: int = Field(2_000, ge=1, description="Frames or pages that a file may have.")
    retry_first: timedelta = Field(
        timedelta(seconds=2), gt=timedelta(0), description="Delay before the second attempt, about."
    )
    retry_most: timedelta = Field(timedelta(minutes=1), gt=timedelta(0), description="Longest delay before an attempt.")
