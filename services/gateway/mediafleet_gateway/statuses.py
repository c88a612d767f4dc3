"""The one table from reasons to gRPC status codes, and errors as `google.rpc.Status`. The SDK owns the inverse."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from google.protobuf import any_pb2, duration_pb2
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from mediafleet_core.errors import MediafleetError, Reason

DOMAIN = "mediafleet"

CODES: Mapping[Reason, StatusCode] = MappingProxyType(
    {
        Reason.FIELD_INVALID: StatusCode.INVALID_ARGUMENT,
        Reason.CHUNK_CHECKSUM_MISMATCH: StatusCode.INVALID_ARGUMENT,
        Reason.OBJECT_CHECKSUM_MISMATCH: StatusCode.INVALID_ARGUMENT,
        Reason.OVERLAP_MISMATCH: StatusCode.INVALID_ARGUMENT,
        Reason.CHUNK_TOO_LARGE: StatusCode.INVALID_ARGUMENT,
        Reason.OBJECT_TOO_LARGE: StatusCode.INVALID_ARGUMENT,
        Reason.CONTENT_TYPE_NOT_ALLOWED: StatusCode.INVALID_ARGUMENT,
        Reason.WRITE_OFFSET_AHEAD: StatusCode.OUT_OF_RANGE,
        Reason.OBJECT_SIZE_MISMATCH: StatusCode.OUT_OF_RANGE,
        Reason.WRITE_AFTER_FINISH: StatusCode.INVALID_ARGUMENT,
        Reason.CONCURRENT_WRITER: StatusCode.ABORTED,
        Reason.UPLOAD_NOT_FOUND: StatusCode.NOT_FOUND,
        Reason.BATCH_NOT_FOUND: StatusCode.NOT_FOUND,
        Reason.RENDITION_NOT_FOUND: StatusCode.NOT_FOUND,
        Reason.SOURCE_NOT_FOUND: StatusCode.NOT_FOUND,
        Reason.SOURCE_CHANGED: StatusCode.FAILED_PRECONDITION,
        Reason.UPLOAD_EXPIRED: StatusCode.NOT_FOUND,
        Reason.UPLOAD_CANCELLED: StatusCode.FAILED_PRECONDITION,
        Reason.UPLOAD_TERMINAL: StatusCode.FAILED_PRECONDITION,
        Reason.UPLOAD_NOT_FINISHED: StatusCode.FAILED_PRECONDITION,
        Reason.UPLOAD_FINISHED: StatusCode.FAILED_PRECONDITION,
        Reason.TRANSFER_MISMATCH: StatusCode.FAILED_PRECONDITION,
        Reason.DIRECT_UNAVAILABLE: StatusCode.FAILED_PRECONDITION,
        Reason.PART_MISMATCH: StatusCode.FAILED_PRECONDITION,
        Reason.ORIGINAL_MISSING: StatusCode.FAILED_PRECONDITION,
        Reason.BATCH_SEALED: StatusCode.FAILED_PRECONDITION,
        Reason.BATCH_TERMINAL: StatusCode.FAILED_PRECONDITION,
        Reason.BATCH_NOT_FINISHED: StatusCode.FAILED_PRECONDITION,
        Reason.REQUEST_ID_REUSED: StatusCode.FAILED_PRECONDITION,
        Reason.QUOTA_EXCEEDED: StatusCode.RESOURCE_EXHAUSTED,
        Reason.RATE_LIMITED: StatusCode.RESOURCE_EXHAUSTED,
        Reason.DRAINING: StatusCode.UNAVAILABLE,
        Reason.LEDGER_UNAVAILABLE: StatusCode.UNAVAILABLE,
        Reason.STORAGE_UNAVAILABLE: StatusCode.UNAVAILABLE,
        # Not UNAVAILABLE: nothing is gained by trying again before an operator has put the credentials right.
        Reason.STORAGE_DENIED: StatusCode.FAILED_PRECONDITION,
        Reason.STORAGE_DISABLED: StatusCode.FAILED_PRECONDITION,
        Reason.TOKEN_MISSING: StatusCode.UNAUTHENTICATED,
        Reason.TOKEN_INVALID: StatusCode.UNAUTHENTICATED,
        Reason.TOKEN_EXPIRED: StatusCode.UNAUTHENTICATED,
        Reason.SCOPE_MISSING: StatusCode.PERMISSION_DENIED,
        Reason.STORED_OBJECT_CORRUPT: StatusCode.DATA_LOSS,
        Reason.NOT_IMPLEMENTED: StatusCode.UNIMPLEMENTED,
        Reason.INTERNAL: StatusCode.INTERNAL,
    }
)

_DEFAULT_RETRY = 1.0
_TO_BE_RETRIED = frozenset({StatusCode.UNAVAILABLE})
_MOST_VIOLATIONS = 16
"""Details travel in trailing metadata, of which clients take 8 KiB."""


def retry_after(error: MediafleetError) -> float | None:
    """Seconds that the caller should wait before it tries again; None where trying again does not help."""
    if error.retry_after is not None:
        return error.retry_after
    retried = CODES[error.reason] in _TO_BE_RETRIED or error.reason is Reason.RATE_LIMITED
    return _DEFAULT_RETRY if retried else None


def to_status(error: MediafleetError) -> Status:
    """The error as it travels: code, message and details, each type of detail at most once."""
    status = Status(code=CODES[error.reason].value[0], message=error.message)
    details = status.details
    _pack(details.add(), ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata))
    if error.violations:
        bad = BadRequest()
        for field, description in error.violations[:_MOST_VIOLATIONS]:
            bad.field_violations.add(field=field, description=description)
        _pack(details.add(), bad)
    if error.quotas:
        exhausted = QuotaFailure()
        for quota_id, description in error.quotas:
            exhausted.violations.add(subject=quota_id, quota_id=quota_id, description=description)
        _pack(details.add(), exhausted)
    delay = retry_after(error)
    if delay is not None:
        span = duration_pb2.Duration()
        span.FromNanoseconds(int(delay * 1e9))
        _pack(details.add(), RetryInfo(retry_delay=span))
    return status


def _pack(
    place: any_pb2.Any,
    detail: ErrorInfo | BadRequest | QuotaFailure | RetryInfo,
) -> None:
    place.Pack(detail)
