"""What one child may use, and what is loaded before it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from mediafleet_core.settings import SettingsPart
from mediafleet_workers.sandbox.messages import Limits

MIB = 1 << 20


class SandboxSettings(SettingsPart):
    """Budgets per job, beyond what the interpreter with its decoders uses anyway."""

    job_memory: int = Field(2048 * MIB, ge=64 * MIB, description="Bytes of memory that one job may add.")
    job_cpu: timedelta = Field(timedelta(minutes=5), gt=timedelta(0), description="CPU time that one job may use.")
    job_time: timedelta = Field(
        timedelta(minutes=10), gt=timedelta(0), description="Time that the processing of one job may take."
    )
    job_file_size: int = Field(4096 * MIB, ge=MIB, description="Bytes of the largest file that a job may write.")
    job_open_files: int = Field(64, ge=16, description="Files that a job may have open.")
    worker_plugins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Modules, separated by commas, that register further handlers; loaded before any job."
    )

    @field_validator("worker_plugins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value

    @property
    def limits(self) -> Limits:
        """The part that the kernel enforces."""
        return Limits(
            memory=self.job_memory,
            cpu=max(1, round(self.job_cpu.total_seconds())),
            file_size=self.job_file_size,
            open_files=self.job_open_files,
        )
