"""Errors of an attempt become codes of the closed list, with the attempts and the delay that these allow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.failures import RULES, FailureCode, ProcessingError
from mediafleet_core.identity import TenantId, new_upload_id
from mediafleet_core.media_types import MediaKind
from mediafleet_core.ports import Claim
from mediafleet_core.progress import Progress
from mediafleet_core.uploads import State, Upload, UploadSpec
from mediafleet_workers.jobs.failing import backoff, failed_attempt
from mediafleet_workers.jobs.job import Job
from mediafleet_workers.settings import JobSettings

UPLOAD = Upload(
    upload_id=new_upload_id(),
    tenant=TenantId("ann"),
    spec=UploadSpec(display_name="a.jpg"),
    kind=MediaKind.IMAGE,
    state=State.PROCESSING,
    progress=Progress(),
    attempt=1,
    max_attempts=3,
    create_time=datetime.now(UTC),
    revision=1,
    sequence=1,
)
SETTINGS = JobSettings(retry_first=timedelta(seconds=2), retry_most=timedelta(seconds=60))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MediafleetError(Reason.STORAGE_UNAVAILABLE, "away"), FailureCode.STORAGE_UNAVAILABLE),
        (
            MediafleetError(Reason.STORAGE_UNAVAILABLE, "slow down", metadata={"cause": "throttled"}),
            FailureCode.STORAGE_THROTTLED,
        ),
        (MediafleetError(Reason.STORAGE_DENIED, "no"), FailureCode.STORAGE_DENIED),
        (MediafleetError(Reason.ORIGINAL_MISSING, "gone"), FailureCode.ORIGINAL_MISSING),
        (MediafleetError(Reason.STORED_OBJECT_CORRUPT, "broken"), FailureCode.STORED_OBJECT_CORRUPT),
        (ProcessingError(FailureCode.PIXEL_LIMIT), FailureCode.PIXEL_LIMIT),
        (OSError(28, "no space left"), FailureCode.INTERNAL),
    ],
)
def test_every_error_has_its_code_and_the_attempts_of_that_code(error: Exception, code: FailureCode) -> None:
    job = Job(Claim(UPLOAD, 1, timedelta(), False))
    failed = failed_attempt(job, error, "w", SETTINGS)
    assert (failed.code, failed.record.code, failed.attempts) == (code, code, RULES[code].attempts)
    assert not failed.discard_original


def test_an_upload_with_fewer_attempts_ends_earlier() -> None:
    job = Job(Claim(msgspec.structs.replace(UPLOAD, max_attempts=1), 1, timedelta(), False))
    assert failed_attempt(job, MediafleetError(Reason.STORAGE_UNAVAILABLE, "away"), "w", SETTINGS).attempts == 1


def test_wrong_bytes_from_the_caller_are_discarded() -> None:
    job = Job(Claim(UPLOAD, 1, timedelta(), False))
    assert failed_attempt(job, ProcessingError(FailureCode.OBJECT_CHECKSUM_MISMATCH), "w", SETTINGS).discard_original


@pytest.mark.parametrize(("attempt", "longest"), [(1, 2), (2, 4), (3, 8), (6, 60), (1000, 60)])
def test_delays_double_up_to_a_limit_and_are_spread(attempt: int, longest: float) -> None:
    delays = {backoff(attempt, SETTINGS).total_seconds() for _ in range(100)}
    assert longest / 2 <= min(delays) < max(delays) <= longest
