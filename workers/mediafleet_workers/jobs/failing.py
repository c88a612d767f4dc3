"""Why an attempt failed, in the terms of the closed list, and when to try again."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.failures import RULES, AttemptRecord, FailureCode, ProcessingError
from mediafleet_core.ports import AttemptFailed
from mediafleet_workers.jobs.job import Job
from mediafleet_workers.settings import JobSettings

_STORAGE = {
    Reason.STORAGE_UNAVAILABLE: FailureCode.STORAGE_UNAVAILABLE,
    Reason.STORAGE_DENIED: FailureCode.STORAGE_DENIED,
    Reason.ORIGINAL_MISSING: FailureCode.ORIGINAL_MISSING,
    Reason.STORED_OBJECT_CORRUPT: FailureCode.STORED_OBJECT_CORRUPT,
}


def failed_attempt(job: Job, error: Exception, worker: str, settings: JobSettings) -> AttemptFailed:
    """What to tell the ledger."""
    cause = _cause(error)
    return AttemptFailed(
        code=cause.code,
        stage=job.stage_name,
        detail=cause.detail,
        record=AttemptRecord(
            time=datetime.now(UTC), code=cause.code, worker=worker, stage=job.stage_name, evidence=cause.evidence
        ),
        # The stricter of the two: the code's own cap, and what the upload was given.
        attempts=min(RULES[cause.code].attempts, job.upload.max_attempts),
        backoff=backoff(job.upload.attempt, settings),
        discard_original=cause.code is FailureCode.OBJECT_CHECKSUM_MISMATCH,
        timings=tuple(job.timings),
    )


def backoff(attempt: int, settings: JobSettings) -> timedelta:
    """The delay after attempt 1, 2, ...: doubling, and spread so that what failed together does not return together."""
    doubled: int = 2 ** min(attempt - 1, 16)
    return min(settings.retry_most, settings.retry_first * doubled) * random.uniform(0.5, 1.0)


def _cause(error: Exception) -> ProcessingError:
    match error:
        case ProcessingError():
            return error
        case MediafleetError(reason=reason) if reason in _STORAGE:
            throttled = error.metadata.get("cause") == "throttled"
            code = FailureCode.STORAGE_THROTTLED if throttled else _STORAGE[reason]
            return ProcessingError(code, evidence=error.message)
        case _:
            return ProcessingError(FailureCode.INTERNAL, evidence=type(error).__name__)
