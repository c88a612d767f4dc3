"""Why a storage refuses or cannot be reached, in words that name what to put right."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import urllib3
from botocore.exceptions import EndpointConnectionError, SSLError

from mediafleet_core.storage.denials import Answer, why_denied
from mediafleet_core.storage.unreached import why_unreached

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


def at(ahead: timedelta) -> str:
    return format_datetime(NOW + ahead, usegmt=True)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer("SignatureDoesNotMatch", 403), "R2_SECRET_ACCESS_KEY is not the secret"),
        (Answer("InvalidAccessKeyId", 403), "access key is not known"),
        (Answer("Unauthorized", 401), "access key is not known"),
        (Answer("InvalidArgument", 400, text="Credential access key has length 40, should be 32"), "to the id"),
        (Answer("NotEntitled", 403), "no subscription"),
        (Answer("NoSuchBucket", 404), "bucket does not exist"),
        (Answer("InvalidBucketName", 400), "R2_BUCKET_NAME must be"),
        (Answer("InvalidRegionName", 400), "R2_REGION"),
        (Answer("AccessDenied", 403, "PutObject"), "may not write"),
        (Answer("AccessDenied", 403, "UploadPart"), "may not write"),
        (Answer("AccessDenied", 403, "GetObject"), "may not read"),
        (Answer("403", 403, "HeadObject"), "refused access"),
        (Answer("AccessDenied", 403, "GetObject", at(timedelta(seconds=20))), "may not read"),
        # A clock that is behind shows as a signature that has expired.
        (Answer("AccessDenied", 403, "UploadPart", at(timedelta(hours=1))), "60 minutes behind"),
        (Answer("ExpiredRequest", 400, "UploadPart", at(timedelta(hours=1))), "60 minutes behind"),
        (Answer("RequestTimeTooSkewed", 403, "GetObject", at(timedelta(hours=-1))), "60 minutes ahead of"),
        (Answer("RequestTimeTooSkewed", 403), "clock of this machine differs"),
        (Answer("InvalidArgument", 400), ""),
        (Answer("NoSuchKey", 404), ""),
        (Answer("InternalError", 500), ""),
    ],
)
def test_a_denial_names_its_cause(answer: Answer, said: str) -> None:
    why = why_denied(answer, NOW)
    assert said in why
    assert bool(why) == bool(said)
    assert not why or ": " in why, "a cause, a colon and what to do"


def caused(error: Exception) -> EndpointConnectionError:
    return EndpointConnectionError(endpoint_url="https://secret-account.example.net", error=error)


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (caused(ConnectionRefusedError(111, "Connection refused")), "nothing listens"),
        (caused(urllib3.exceptions.NameResolutionError("host", None, socket.gaierror())), "host of the object storage"),  # type: ignore[arg-type]
        (caused(OSError(113, "No route to host")), "cannot be reached"),
        (SSLError(endpoint_url="https://x", error=ssl.SSLCertVerificationError()), "certificate"),
        (ConnectionResetError(), "cannot be reached"),
    ],
)
def test_whoever_cannot_be_reached_is_told_why(failure: Exception, said: str) -> None:
    why = why_unreached(failure)
    assert said in why
    assert "secret-account" not in why
