"""What calls raise: one class for each family of refusals, chosen by the reason that the server gives, or the status.

This is the inverse of the gateway's table. A failed upload is no error: it is an `Upload` with a `failure`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc_status import rpc_status

from mediafleet.unreachable import sentence

DOMAIN = "mediafleet"


class FieldViolation(NamedTuple):
    """One wrong field: its dotted path as in the proto, and what is expected of it."""

    field: str
    description: str


class QuotaViolation(NamedTuple):
    """One exhausted quota: its id as in GetQuota, and a sentence for people."""

    quota_id: str
    description: str


class MediafleetError(Exception):
    """A call was refused or could not be done.

    `code` is the gRPC status, `reason` the stable name from the contract ("" where no gateway answered), `message` is
    for people, `metadata` holds facts such as `committedSize`, `retry_after` the seconds that the gateway asks for.
    """

    code = StatusCode.UNKNOWN

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        code: StatusCode | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        violations: tuple[FieldViolation, ...] = (),
        quotas: tuple[QuotaViolation, ...] = (),
    ) -> None:
        """`code` is the class's own unless given."""
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.code = code or type(self).code
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after
        self.violations = violations
        self.quotas = quotas

    def __str__(self) -> str:
        return f"{self.reason or self.code.name}: {self.message}"

    @property
    def transient(self) -> bool:
        """Whether the same call may succeed a little later."""
        return False


class InvalidArgument(MediafleetError):
    """The request is wrong; `violations` name its fields."""

    code = StatusCode.INVALID_ARGUMENT


class ChecksumMismatch(InvalidArgument):
    """The bytes that arrived are not those that were announced or stored before."""

    @property
    def transient(self) -> bool:
        """A chunk that was spoilt on its way can be sent again; a whole file cannot."""
        return self.reason == "CHUNK_CHECKSUM_MISMATCH"


class OutOfRange(MediafleetError):
    """Bytes beyond the committed size, or more or fewer than declared."""

    code = StatusCode.OUT_OF_RANGE


class Unauthenticated(MediafleetError):
    """No credentials, or they are wrong or have expired."""

    code = StatusCode.UNAUTHENTICATED


class PermissionDenied(MediafleetError):
    """The credentials lack a scope."""

    code = StatusCode.PERMISSION_DENIED


class NotFound(MediafleetError):
    """No such upload, batch or rendition, or it belongs to another tenant."""

    code = StatusCode.NOT_FOUND


class UploadExpired(NotFound):
    """The upload was not finished in time; its bytes are gone."""


class FailedPrecondition(MediafleetError):
    """The upload or batch is not in a state that allows this."""

    code = StatusCode.FAILED_PRECONDITION


class Aborted(MediafleetError):
    """Somebody else was faster."""

    code = StatusCode.ABORTED


class ConcurrentWriter(Aborted):
    """Another client took over the writing of the same upload."""


class ResourceExhausted(MediafleetError):
    """Too much of something."""

    code = StatusCode.RESOURCE_EXHAUSTED


class QuotaExceeded(ResourceExhausted):
    """A quota is used up; `quotas` name it."""


class RateLimited(ResourceExhausted):
    """Too many calls at once or in a time; clients wait for `retry_after` and try again by themselves."""

    @property
    def transient(self) -> bool:
        """Always."""
        return True


class Unavailable(MediafleetError):
    """No gateway answers, or it cannot reach what it needs, or it ended before it took the call up."""

    code = StatusCode.UNAVAILABLE

    @property
    def transient(self) -> bool:
        """Always."""
        return True


class DeadlineExceeded(MediafleetError):
    """It took longer than allowed; whether it was done is not known."""

    code = StatusCode.DEADLINE_EXCEEDED

    @property
    def transient(self) -> bool:
        """Always."""
        return True


class Internal(MediafleetError):
    """A fault of the gateway, or a connection that broke in an unusual way."""

    code = StatusCode.INTERNAL

    @property
    def transient(self) -> bool:
        """gRPC tells some broken connections as INTERNAL."""
        return True


class DataLoss(MediafleetError):
    """What is stored is not what was sent."""

    code = StatusCode.DATA_LOSS


class Unimplemented(MediafleetError):
    """The gateway does not offer this."""

    code = StatusCode.UNIMPLEMENTED


BY_REASON: Mapping[str, type[MediafleetError]] = {
    "CHUNK_CHECKSUM_MISMATCH": ChecksumMismatch,
    "OBJECT_CHECKSUM_MISMATCH": ChecksumMismatch,
    "OVERLAP_MISMATCH": ChecksumMismatch,
    "CONCURRENT_WRITER": ConcurrentWriter,
    "UPLOAD_EXPIRED": UploadExpired,
    "QUOTA_EXCEEDED": QuotaExceeded,
    "RATE_LIMITED": RateLimited,
}
"""Reasons with a class of their own; every other one has the class of its status."""

BY_CODE: Mapping[StatusCode, type[MediafleetError]] = {
    **{family.code: family for family in MediafleetError.__subclasses__()},
    # Whoever cancels a call here gets no answer: this is gRPC in a server that ends, to calls it has not begun.
    StatusCode.CANCELLED: Unavailable,
}


def from_rpc_error(error: grpc.RpcError) -> MediafleetError:
    """The typed error of a failed call, `error` being its cause."""
    call = cast(grpc.Call, error)  # as every RpcError that a stub raises is
    code, status = call.code(), _status(call)
    info, bad_request, quota, retry = ErrorInfo(), BadRequest(), QuotaFailure(), RetryInfo()
    for packed in status.details:
        for detail in (info, bad_request, quota, retry):
            packed.Unpack(detail)
    reason = info.reason if info.domain == DOMAIN else ""
    family = BY_REASON.get(reason) or BY_CODE.get(code, MediafleetError)
    typed = family(
        status.message or sentence(call.details() or code.name),
        reason=reason,
        code=code,
        metadata=info.metadata,
        retry_after=retry.retry_delay.ToTimedelta().total_seconds() if retry.HasField("retry_delay") else None,
        violations=tuple(FieldViolation(each.field, each.description) for each in bad_request.field_violations),
        quotas=tuple(QuotaViolation(each.quota_id or each.subject, each.description) for each in quota.violations),
    )
    typed.__cause__ = error
    return typed


def _status(call: grpc.Call) -> Status:
    # Details that contradict the status, or cannot be read, are no details: a proxy answered in the gateway's place.
    try:
        return rpc_status.from_call(call) or Status()
    except (ValueError, DecodeError):
        return Status()
