"""Settings of the intake."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from mediafleet_core.parts import DIRECT_PART
from mediafleet_core.settings import SettingsPart

MIB = 1 << 20


class IntakeSettings(SettingsPart):
    """How bytes are taken in; sizes in bytes."""

    max_chunk_bytes: int = Field(2 * MIB, ge=1, le=3 * MIB, description="Content of one message, below gRPC's 4 MiB.")
    max_file_bytes: int = Field(3 * MIB, ge=1, le=3 * MIB, description="A whole file sent in one unary call.")
    write_buffer_bytes: int = Field(
        64 * MIB,
        ge=0,
        description="Parts that all writers of a process together may have under way while filling more.",
    )
    part_bytes: int | None = Field(
        None, ge=1, description="Size of parts, instead of 8 MiB and more by the file's size; S3 needs 5 MiB."
    )
    upload_expiry: timedelta = Field(
        timedelta(hours=24),
        gt=timedelta(0),
        le=timedelta(days=6),
        description="How long an upload may stay unfinished; at most 6 days, because R2 itself aborts after 7.",
    )
    direct_uploads: bool = Field(
        True, description="Whether clients may send parts straight to the storage; false where they cannot reach it."
    )
    direct_part_bytes: int = Field(
        DIRECT_PART, ge=5 * MIB, le=5 << 30, description="Size of the parts of a direct upload, which S3 bounds."
    )
    imports_at_once: int = Field(
        8, ge=1, description="Objects that a process copies at once within the storage; each takes a connection."
    )
    max_attempts: int = Field(3, ge=1, description="Attempts that the processing of an upload gets at most.")
