"""Errors that a caller can meet: one exception type and a closed list of reasons.

A reason says what went wrong and whose move it is; the gateway owns the one table that maps it to a gRPC status,
the SDK owns the inverse. Failures of processing are data, not errors: see `mediafleet_core.failures`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """Stable names that travel in `google.rpc.ErrorInfo.reason`."""

    FIELD_INVALID = "FIELD_INVALID"
    CHUNK_CHECKSUM_MISMATCH = "CHUNK_CHECKSUM_MISMATCH"
    OBJECT_CHECKSUM_MISMATCH = "OBJECT_CHECKSUM_MISMATCH"
    OVERLAP_MISMATCH = "OVERLAP_MISMATCH"
    CHUNK_TOO_LARGE = "CHUNK_TOO_LARGE"
    OBJECT_TOO_LARGE = "OBJECT_TOO_LARGE"
    CONTENT_TYPE_NOT_ALLOWED = "CONTENT_TYPE_NOT_ALLOWED"
    WRITE_OFFSET_AHEAD = "WRITE_OFFSET_AHEAD"
    OBJECT_SIZE_MISMATCH = "OBJECT_SIZE_MISMATCH"
    WRITE_AFTER_FINISH = "WRITE_AFTER_FINISH"
    CONCURRENT_WRITER = "CONCURRENT_WRITER"
    UPLOAD_NOT_FOUND = "UPLOAD_NOT_FOUND"
    BATCH_NOT_FOUND = "BATCH_NOT_FOUND"
    RENDITION_NOT_FOUND = "RENDITION_NOT_FOUND"
    SOURCE_NOT_FOUND = "SOURCE_NOT_FOUND"
    SOURCE_CHANGED = "SOURCE_CHANGED"
    UPLOAD_EXPIRED = "UPLOAD_EXPIRED"
    UPLOAD_CANCELLED = "UPLOAD_CANCELLED"
    UPLOAD_TERMINAL = "UPLOAD_TERMINAL"
    UPLOAD_NOT_FINISHED = "UPLOAD_NOT_FINISHED"
    UPLOAD_FINISHED = "UPLOAD_FINISHED"
    TRANSFER_MISMATCH = "TRANSFER_MISMATCH"
    DIRECT_UNAVAILABLE = "DIRECT_UNAVAILABLE"
    PART_MISMATCH = "PART_MISMATCH"
    ORIGINAL_MISSING = "ORIGINAL_MISSING"
    BATCH_SEALED = "BATCH_SEALED"
    BATCH_TERMINAL = "BATCH_TERMINAL"
    BATCH_NOT_FINISHED = "BATCH_NOT_FINISHED"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    RATE_LIMITED = "RATE_LIMITED"
    DRAINING = "DRAINING"
    LEDGER_UNAVAILABLE = "LEDGER_UNAVAILABLE"
    STORAGE_UNAVAILABLE = "STORAGE_UNAVAILABLE"
    STORAGE_DENIED = "STORAGE_DENIED"
    STORAGE_DISABLED = "STORAGE_DISABLED"
    TOKEN_MISSING = "TOKEN_MISSING"
    TOKEN_INVALID = "TOKEN_INVALID"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"
    SCOPE_MISSING = "SCOPE_MISSING"
    STORED_OBJECT_CORRUPT = "STORED_OBJECT_CORRUPT"
    NOT_IMPLEMENTED = "NOT_IMPLEMENTED"
    INTERNAL = "INTERNAL"


class FieldViolation(NamedTuple):
    """One wrong field of a request: its dotted path as in the proto, and what is expected of it."""

    field: str
    description: str


class QuotaViolation(NamedTuple):
    """One exhausted quota: its id as in GetQuota, and a sentence with limit and use in the metric's unit."""

    quota_id: str
    description: str


class MediafleetError(Exception):
    """An operation was refused or could not be done; `message` is safe to show to the caller."""

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        quotas: Sequence[QuotaViolation] = (),
        retry_after: float | None = None,
    ) -> None:
        """`metadata` goes into ErrorInfo; `retry_after` (seconds) into RetryInfo; the rest into their own details."""
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.quotas = tuple(quotas)
        self.retry_after = retry_after


def invalid_field(field: str, description: str) -> MediafleetError:
    """FIELD_INVALID for one field."""
    return MediafleetError(
        Reason.FIELD_INVALID, f"{field}: {description}", violations=[FieldViolation(field, description)]
    )


def upload_not_found(upload_id: str) -> MediafleetError:
    """UPLOAD_NOT_FOUND; the same for an upload of another tenant, so that existence does not leak."""
    return MediafleetError(Reason.UPLOAD_NOT_FOUND, "no such upload", metadata={"uploadId": upload_id})


def batch_not_found(batch_id: str) -> MediafleetError:
    """BATCH_NOT_FOUND; the same for a batch of another tenant."""
    return MediafleetError(Reason.BATCH_NOT_FOUND, "no such batch", metadata={"batchId": batch_id})
