"""Client of a mediafleet: sends media files in, follows their processing, fetches the results.

    from mediafleet import Client, UploadState

    with Client("127.0.0.1:8070", token=token) as client:
        upload = client.upload("holiday.jpg", wait=True)
        if upload.state == UploadState.UPLOAD_STATE_SUCCEEDED:
            print(client.download_url(upload.upload_id, "small"))
        else:
            print(upload.failure.message, upload.failure.next_step)

- `Client`, and `AsyncClient` with the same methods for asyncio: `upload` and `upload_many`; `watch`, `watch_many` and
  `wait`; `get` and `list`; `update`, `cancel`, `retry`, `retry_many` and `delete`; `download_url`; `usage`,
  `usage_history` and `quota`; `fleet`, `pause_queue` and `resume_queue` for administrators.
- `client.batches` groups uploads: `create`, `seal`, `get`, `list`, `watch`, `wait`, `cancel`, `retry` and `report`.
- `client.imports` makes uploads of objects that lie in the bucket: `list`, `take` and `take_many`.
- `client.notifications` tells what people should hear of: `list`, `mark_read`; and `replay_webhooks`.
- `Upload`, `UploadEvent`, `UploadFilter`, `UploadState`, `Usage`, `UsagePoint`, `Quota`, `Fleet`, `QueueStatus`: the
  data of those calls, messages of `mediafleet.v1`, as are `Batch`, `BatchEvent`, `BatchFilter`, `BatchReportRow`,
  `BatchState`. `Importable` is an object to import.
  `TERMINAL_STATES` are the states in which an upload has ended, `TERMINAL_BATCH_STATES` those of a batch.
- `UploadProgress` is what a progress callback gets, `UploadOutcome` what `upload_many` yields,
  `ImportOutcome` what `imports.take_many`, `RetryOutcome` what `retry_many` does.
- `MediafleetError` is raised by every call that fails; the subclasses tell why. An upload whose processing failed
  raises nothing: it is an `Upload` with a `failure`.

Lost connections and gateways are borne; each try that failed is logged by the logger `mediafleet`, at INFO.
"""

# Names are imported when they are first used, so that the command line starts without gRPC; and nothing else is
# imported here, so that it soon has a hold on Ctrl-C.

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mediafleet.aio import AsyncClient
    from mediafleet.batches import TERMINAL_BATCH_STATES
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
    from mediafleet.many import ImportOutcome, RetryOutcome, UploadOutcome
    from mediafleet.progress import TERMINAL_STATES, UploadProgress
    from mediafleet.v1.batches_pb2 import Batch, BatchEvent, BatchFilter, BatchReportRow, BatchState
    from mediafleet.v1.fleet_pb2 import Fleet, QueueStatus
    from mediafleet.v1.uploads_pb2 import Importable, Upload, UploadEvent, UploadFilter, UploadState
    from mediafleet.v1.usage_pb2 import Quota, Usage, UsagePoint

_HOMES = {
    "AsyncClient": "mediafleet.aio",
    "Batch": "mediafleet.v1.batches_pb2",
    "BatchEvent": "mediafleet.v1.batches_pb2",
    "BatchFilter": "mediafleet.v1.batches_pb2",
    "BatchReportRow": "mediafleet.v1.batches_pb2",
    "BatchState": "mediafleet.v1.batches_pb2",
    "Client": "mediafleet.client",
    "Fleet": "mediafleet.v1.fleet_pb2",
    "ImportOutcome": "mediafleet.many",
    "Importable": "mediafleet.v1.uploads_pb2",
    "QueueStatus": "mediafleet.v1.fleet_pb2",
    "Quota": "mediafleet.v1.usage_pb2",
    "RetryOutcome": "mediafleet.many",
    "TERMINAL_BATCH_STATES": "mediafleet.batches",
    "TERMINAL_STATES": "mediafleet.progress",
    "UploadOutcome": "mediafleet.many",
    "UploadProgress": "mediafleet.progress",
    "Upload": "mediafleet.v1.uploads_pb2",
    "UploadEvent": "mediafleet.v1.uploads_pb2",
    "UploadFilter": "mediafleet.v1.uploads_pb2",
    "UploadState": "mediafleet.v1.uploads_pb2",
    "Usage": "mediafleet.v1.usage_pb2",
    "UsagePoint": "mediafleet.v1.usage_pb2",
}

__all__ = [
    "TERMINAL_BATCH_STATES",
    "TERMINAL_STATES",
    "Aborted",
    "AsyncClient",
    "Batch",
    "BatchEvent",
    "BatchFilter",
    "BatchReportRow",
    "BatchState",
    "ChecksumMismatch",
    "Client",
    "ConcurrentWriter",
    "DataLoss",
    "DeadlineExceeded",
    "FailedPrecondition",
    "FieldViolation",
    "Fleet",
    "ImportOutcome",
    "Importable",
    "Internal",
    "InvalidArgument",
    "MediafleetError",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
    "QueueStatus",
    "Quota",
    "QuotaExceeded",
    "QuotaViolation",
    "RateLimited",
    "ResourceExhausted",
    "RetryOutcome",
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
    "UsagePoint",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES.get(name, "mediafleet.errors")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
