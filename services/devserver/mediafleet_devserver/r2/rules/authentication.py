"""Every request is signed with SigV4 by a key that exists, in its headers or (presigned) in its query."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from mediafleet_devserver.r2.refusals import Refused, not_implemented
from mediafleet_devserver.r2.request import S3Request
from mediafleet_devserver.r2.settings import AccessKey

ALGORITHM = "AWS4-HMAC-SHA256"
REGIONS = frozenset({"auto", "us-east-1"})
"""R2 takes the second as another name of the first."""
MAX_SKEW = timedelta(minutes=15)
MAX_LIFETIME = timedelta(days=7)
PRESIGNED_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE"})

_HEADER = re.compile(
    rf"{ALGORITHM} +Credential=(?P<credential>[^,]+), *SignedHeaders=(?P<signed>[^,]+), *Signature=(?P<signature>\w+)"
)


class Signature(NamedTuple):
    """What a request says about its own signature."""

    credential: str
    timestamp: str
    signed_headers: frozenset[str]
    value: str
    lifetime: timedelta | None
    """How long a presigned URL is good for; None for a signature in the headers."""


class Authentication:
    """Recomputes the signature with botocore's signers, as R2 does with its own."""

    def __init__(self, access_keys: Mapping[str, AccessKey], now: Callable[[], datetime]) -> None:
        """Knows these keys, by their ids; `now` is the server's clock."""
        self._access_keys = access_keys
        self._now = now

    def __call__(self, request: S3Request) -> None:
        """Raises AccessDenied, InvalidAccessKeyId, SignatureDoesNotMatch, RequestTimeTooSkewed, Unauthorized (SigV2)
        and, for what cannot be read, the codes of S3."""
        signature = _signature_of(request)
        key_id, _, scope = signature.credential.partition("/")
        self._check_time(signature)
        access_key = self._access_keys.get(key_id)
        if access_key is None:
            raise Refused("InvalidAccessKeyId", 403, "The access key id does not exist.")
        date, region, service, *end = scope.split("/") if scope.count("/") == 3 else ("", "", "")
        if (date, service, end) != (signature.timestamp[:8], "s3", ["aws4_request"]):
            raise Refused(
                "AuthorizationHeaderMalformed", 400, "The credential's scope is not DATE/auto/s3/aws4_request."
            )
        if region not in REGIONS:
            raise Refused("InvalidRegionName", 400, f"The region name '{region}' is not valid; must be auto.")
        unsigned = {name.lower() for name in request.headers.keys() if name.lower().startswith("x-amz-")}  # noqa: SIM118
        if "host" not in signature.signed_headers or not unsigned <= signature.signed_headers:
            raise Refused("AccessDenied", 403, "There were headers present in the request which were not signed.")
        if not hmac.compare_digest(_recomputed(request, signature, access_key, region), signature.value):
            raise Refused(
                "SignatureDoesNotMatch",
                403,
                "The request signature we calculated does not match the signature you provided. "
                "Check your secret access key and signing method.",
            )

    def _check_time(self, signature: Signature) -> None:
        try:
            signed_at = datetime.strptime(signature.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise Refused("AccessDenied", 403, "A request must carry a valid x-amz-date.") from None
        age = self._now() - signed_at
        if signature.lifetime is not None and age > signature.lifetime:
            raise Refused("AccessDenied", 403, "Request has expired")
        if -age > MAX_SKEW or (signature.lifetime is None and age > MAX_SKEW):
            raise Refused(
                "RequestTimeTooSkewed", 403, "The difference between the request time and the server's is too large."
            )


def access_key_id(request: S3Request) -> str:
    """Whose signature the request carries; certain once `Authentication` let it pass."""
    return _signature_of(request).credential.partition("/")[0]


def _signature_of(request: S3Request) -> Signature:
    query, authorization = request.parameters, request.headers.get("Authorization", "")
    if authorization.startswith("AWS ") or "AWSAccessKeyId" in query:
        raise Refused("Unauthorized", 401, "SigV2 authorization is not supported. Please use SigV4 instead.")
    if "X-Amz-Algorithm" in query or "X-Amz-Signature" in query:
        return _presigned(request)
    if not authorization:
        raise Refused("AccessDenied", 403, "Access Denied")
    match = _HEADER.fullmatch(authorization)
    if match is None:
        raise Refused("AuthorizationHeaderMalformed", 400, f"The authorization header is not that of {ALGORITHM}.")
    if "x-amz-content-sha256" not in request.headers:
        raise Refused("InvalidRequest", 400, "Missing x-amz-content-sha256")
    signed = frozenset(match["signed"].lower().split(";"))
    return Signature(match["credential"], request.headers.get("x-amz-date", ""), signed, match["signature"], None)


def _presigned(request: S3Request) -> Signature:
    query = request.parameters
    if request.method not in PRESIGNED_METHODS:
        raise not_implemented(f"Presigned {request.method}")
    names = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature")
    algorithm, credential, timestamp, signed, signature = (query.get(name, "") for name in names)
    expires = query.get("X-Amz-Expires", "")
    if algorithm != ALGORITHM or not (expires.isascii() and expires.isdigit()):
        raise _malformed(f"{ALGORITHM} and X-Amz-Expires are required.")
    if not 1 <= int(expires) <= MAX_LIFETIME.total_seconds():
        raise _malformed("X-Amz-Expires must be between 1 and 604800 seconds.")
    lifetime = timedelta(seconds=int(expires))
    return Signature(credential, timestamp, frozenset(signed.lower().split(";")), signature, lifetime)


def _malformed(message: str) -> Refused:
    return Refused("AuthorizationQueryParametersError", 400, message)


def _recomputed(request: S3Request, signature: Signature, access_key: AccessKey, region: str) -> str:
    signing = S3SigV4Auth if signature.lifetime is None else S3SigV4QueryAuth
    signer = signing(Credentials(access_key.key_id, access_key.secret.get_secret_value()), "s3", region)
    signed = AWSRequest(
        method=request.method,
        url=f"http://{request.headers['Host']}{quote(request.path, safe='/~')}",
        headers={name: request.headers.get(name, "") for name in signature.signed_headers},
        params={name: value for name, value in request.parameters.items() if name != "X-Amz-Signature"},
    )
    signed.context["timestamp"] = signature.timestamp
    to_sign = signer.string_to_sign(signed, signer.canonical_request(signed))
    return str(signer.signature(to_sign, signed))
