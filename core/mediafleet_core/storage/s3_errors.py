"""What S3's and the network's errors mean: ours to show, and whether another try can help."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import ClientError as HTTPError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
)
from botocore.exceptions import (
    ConnectionError as NoConnectionError,
)
from botocore.parsers import ResponseParserError  # type: ignore[attr-defined,unused-ignore]

from mediafleet_core.errors import MediafleetError
from mediafleet_core.storage.denials import Answer, why_denied
from mediafleet_core.storage.troubles import changed, corrupt, denied, missing, parts_differ, refused, unavailable
from mediafleet_core.storage.unreached import why_unreached

FAILURES = (ClientError, BotoCoreError, ResponseParserError, HTTPError, TimeoutError)
"""What boto3 and aiohttp raise."""

_MISSING = frozenset({"NoSuchKey", "NoSuchUpload", "NotFound", "404"})
_THROTTLED = frozenset({"TooManyRequests", "SlowDown", "429"})
_TRY_AGAIN = frozenset({"ClientDisconnect", "IncompleteBody", "RequestTimeout", "InternalError", "ServiceUnavailable"})
_TIMEOUTS = (ConnectTimeoutError, ReadTimeoutError, TimeoutError)
_NETWORK = (NoConnectionError, HTTPClientError, IncompleteReadError, HTTPError)


class Trouble(NamedTuple):
    """One failed call: what to raise, whether to call again before that, and whether the server asked to slow down."""

    error: MediafleetError
    retry: bool = False
    throttled: bool = False


def trouble_of(failure: Exception, key: str) -> Trouble:
    """The meaning of one of `FAILURES` about `key`. Its own text stays in the chained exception, for logs only."""
    if isinstance(failure, ClientError):
        return answered(answer_of(failure), key)
    if isinstance(failure, _TIMEOUTS):
        return Trouble(unavailable("timeout", "the object storage did not answer in time"), retry=True)
    if isinstance(failure, _NETWORK):
        return Trouble(unavailable("network", why_unreached(failure)), retry=True)
    if isinstance(failure, ResponseParserError):
        return Trouble(unavailable("server_error", "the object storage gave no proper answer"), retry=True)
    return Trouble(refused(type(failure).__name__))


def answer_of(failure: ClientError) -> Answer:
    """What the server said."""
    error, about = failure.response["Error"], failure.response["ResponseMetadata"]
    return Answer(
        error.get("Code", ""),
        about.get("HTTPStatusCode", 0),
        failure.operation_name,
        about.get("HTTPHeaders", {}).get("date", ""),
        error.get("Message", ""),
    )


def answered(answer: Answer, key: str) -> Trouble:
    """The meaning of S3's error code, or failing that of the HTTP status."""
    code, status = answer.code, answer.status
    if code in _THROTTLED or status == 429:
        error = unavailable("throttled", "the object storage asked to slow down")
        return Trouble(error, retry=True, throttled=True)
    if code in _MISSING:
        return Trouble(missing(key))
    if code == "PreconditionFailed" or status == 412:
        return Trouble(changed(key))
    if code == "InvalidPart":
        return Trouble(parts_differ(key))
    if code in {"BadDigest", "XAmzContentChecksumMismatch"}:
        return Trouble(corrupt(key), retry=True)
    if why := why_denied(answer):
        return Trouble(denied(why))
    if code in _TRY_AGAIN or status >= 500:
        return Trouble(unavailable("server_error", "the object storage failed"), retry=status != 501)
    # A code is a word of S3's; anything longer came from some other server and is not for callers.
    return Trouble(refused(code if code.isalnum() and len(code) <= 64 else f"status {status}"))
