"""Client, command line and wire types of mediafleet.

`Client` and `AsyncClient` are the whole of it; the messages of `mediafleet.v1` are the data that they take and give.
Names are imported when they are first used, so that the command line starts without gRPC.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mediafleet.aio import AsyncClient
    from mediafleet.client import Client
    from mediafleet.errors import (
        Aborted,
        ChecksumMismatch,
        ConcurrentWriter,
        DataLoss,
        DeadlineExceeded,
        FailedPrecondition,
        FieldViolation,
        Internal,
        InvalidArgument,
        MediafleetError,
        NotFound,
        OutOfRange,
        PermissionDenied,
        QuotaExceeded,
        QuotaViolation,
        RateLimited,
        ResourceExhausted,
        Unauthenticated,
        Unavailable,
        Unimplemented,
        UploadExpired,
    )
    from mediafleet.many import UploadOutcome
    from mediafleet.progress import UploadProgress
    from mediafleet.v1.uploads_pb2 import Upload, UploadEvent, UploadFilter, UploadState
    from mediafleet.v1.usage_pb2 import Usage

_HOMES = {
    "AsyncClient": "mediafleet.aio",
    "Client": "mediafleet.client",
    "UploadOutcome": "mediafleet.many",
    "UploadProgress": "mediafleet.progress",
    "Upload": "mediafleet.v1.uploads_pb2",
    "UploadEvent": "mediafleet.v1.uploads_pb2",
    "UploadFilter": "mediafleet.v1.uploads_pb2",
    "UploadState": "mediafleet.v1.uploads_pb2",
    "Usage": "mediafleet.v1.usage_pb2",
}

__all__ = [
    "Aborted",
    "AsyncClient",
    "ChecksumMismatch",
    "Client",
    "ConcurrentWriter",
    "DataLoss",
    "DeadlineExceeded",
    "FailedPrecondition",
    "FieldViolation",
    "Internal",
    "InvalidArgument",
    "MediafleetError",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
    "QuotaExceeded",
    "QuotaViolation",
    "RateLimited",
    "ResourceExhausted",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "Upload",
    "UploadEvent",
    "UploadExpired",
    "UploadFilter",
    "UploadOutcome",
    "UploadProgress",
    "UploadState",
    "Usage",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES.get(name, "mediafleet.errors")), name)
