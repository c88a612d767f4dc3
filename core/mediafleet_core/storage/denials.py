"""Why a storage refuses a call, told so that an operator knows which setting to put right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple

MOST_SKEW = timedelta(minutes=15)
"""That S3 servers bear between their clock and that of a signature."""

_DENIED = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "Unauthorized", "NotEntitled"})
_SKEWED = frozenset({"RequestTimeTooSkewed", "ExpiredRequest"})
# Words of several servers for one thing: the signature names another region than theirs.
_WRONG_REGION = frozenset({"AuthorizationHeaderMalformed", "AuthorizationQueryParametersError", "InvalidRegionName"})
_UNKNOWN_KEY = frozenset({"InvalidAccessKeyId", "Unauthorized"})
_WRITES = frozenset(
    {
        "PutObject",
        "CreateMultipartUpload",
        "UploadPart",
        "UploadPartCopy",
        "CopyObject",
        "CompleteMultipartUpload",
        "AbortMultipartUpload",
        "DeleteObjects",
    }
)
_READS = frozenset({"GetObject", "ListObjectsV2", "ListMultipartUploads", "ListParts"})

READ_ONLY = (
    "the access key may not write to the bucket (it can only read, or R2_BUCKET_NAME is not its bucket): "
    "give its token Object Read & Write on this bucket"
)
_UNREADABLE = (
    "the access key may not read the bucket (R2_BUCKET_NAME is not its bucket, or R2_ENDPOINT_URL is not that of the "
    "bucket's account and jurisdiction): correct these, or give its token Object Read & Write on this bucket"
)
"""Each message is a cause, a colon and what to do."""


class Answer(NamedTuple):
    """What a server said to a call that failed.

    S3's code, the HTTP status (0 if unknown), S3's name of the operation, the header Date, S3's text.
    """

    code: str
    status: int = 0
    operation: str = ""
    date: str = ""
    text: str = ""


def why_denied(answer: Answer, now: datetime | None = None) -> str:
    """What to put right; "" where the answer is no denial."""
    if answer.code == "NoSuchBucket":
        return "the bucket does not exist: check R2_BUCKET_NAME, and that R2_ENDPOINT_URL is that of its jurisdiction"
    if answer.code == "InvalidBucketName":
        return "the bucket cannot exist: R2_BUCKET_NAME must be 3 to 63 of a-z, 0-9 and dash"
    if answer.code in _WRONG_REGION:
        return "the object storage is in another region: check R2_REGION"
    if answer.code == "InvalidArgument" and answer.text.startswith("Credential access key"):
        return "the access key is none: set R2_ACCESS_KEY_ID to the id, and not to the secret or another service's"
    if answer.code not in _DENIED | _SKEWED and answer.status not in {401, 403}:
        return ""
    return _clock(answer, now or datetime.now(UTC)) or _rights(answer)


def skew_of(date: str, now: datetime) -> timedelta | None:
    """How far this machine's clock is ahead of one that said `date` (as HTTP has it); None if it said nothing."""
    try:
        theirs = parsedate_to_datetime(date)
    except (TypeError, ValueError):
        return None
    return now - (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC))


def _clock(answer: Answer, now: datetime) -> str:
    """A wrong clock shows as many errors: one that is ahead as such, one that is behind as an expired signature."""
    skew = skew_of(answer.date, now)
    if skew is None or abs(skew) < MOST_SKEW - timedelta(minutes=1):
        if answer.code not in _SKEWED:
            return ""
        return "the clock of this machine differs from that of the object storage: set it, by NTP"
    direction = "ahead of" if skew > timedelta(0) else "behind"
    return (
        f"the clock of this machine is {round(abs(skew) / timedelta(minutes=1))} minutes {direction} that of the "
        "object storage: set it, by NTP"
    )


def _rights(answer: Answer) -> str:
    if answer.code == "SignatureDoesNotMatch":
        return (
            "the signature is wrong, as R2_SECRET_ACCESS_KEY is not the secret of R2_ACCESS_KEY_ID: "
            "set both from the same API token"
        )
    if answer.code == "NotEntitled":
        return "the account has no subscription to R2: take one in its dashboard, or correct R2_ACCOUNT_ID"
    if answer.code in _UNKNOWN_KEY or answer.status == 401:
        return (
            "the access key is not known (it was revoked, or is of another account): "
            "check R2_ACCESS_KEY_ID, and R2_ACCOUNT_ID or R2_ENDPOINT_URL"
        )
    if answer.operation in _WRITES:
        return READ_ONLY
    if answer.operation in _READS:
        return _UNREADABLE
    return "the object storage refused access: check the R2 credentials and their rights"
