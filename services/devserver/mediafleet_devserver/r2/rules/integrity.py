"""What arrives is what was sent: length and every digest are checked, and those that R2 refuses are refused."""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64decode
from collections.abc import Callable
from hmac import compare_digest

import google_crc32c

from mediafleet_devserver.r2.refusals import Refused, not_implemented
from mediafleet_devserver.r2.request import S3Request

MAX_BODY = 5 << 30
"""Bytes of one PUT."""

CHECKSUMS: dict[str, Callable[[bytes], bytes]] = {
    "CRC32C": lambda body: int(google_crc32c.value(body)).to_bytes(4, "big"),
    "SHA1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "SHA256": lambda body: hashlib.sha256(body).digest(),
}
"""What R2 checks of a PUT and a part by its name in `x-amz-checksum-*`. CRC32, the SDKs' default, breaks there."""

_CHECKSUM_HEADERS = {f"x-amz-checksum-{name.lower()}": name for name in CHECKSUMS}
_ALGORITHM_HEADERS = ("x-amz-checksum-algorithm", "x-amz-sdk-checksum-algorithm")
_UNSIGNED = "UNSIGNED-PAYLOAD"


def bodies_arrive_unharmed(request: S3Request) -> None:
    """Raises NotImplemented, MissingContentLength, IncompleteBody, EntityTooLarge, InvalidDigest, BadDigest,
    InvalidRequest or XAmzContentSHA256Mismatch."""
    _refuse_what_r2_refuses(request)
    _check_length(request)
    _check_digests(request)


def _refuse_what_r2_refuses(request: S3Request) -> None:
    payload = request.headers.get("x-amz-content-sha256", _UNSIGNED)
    if payload.startswith("STREAMING-"):
        raise not_implemented(payload)
    for name, value in request.headers.items(lower=True):
        known = (
            value.upper() in CHECKSUMS
            if name in _ALGORITHM_HEADERS
            else name in _CHECKSUM_HEADERS
            or (name, value.upper()) in {("x-amz-checksum-type", "COMPOSITE"), ("x-amz-checksum-mode", "ENABLED")}
        )
        if name.startswith(("x-amz-checksum-", "x-amz-sdk-checksum-", "x-amz-trailer")) and not known:
            raise not_implemented(f"Header '{name}' with value '{value}'")
    if "aws-chunked" in request.headers.get("Content-Encoding", ""):
        raise not_implemented("Header 'content-encoding' with value 'aws-chunked'")


def _check_length(request: S3Request) -> None:
    if request.announced is None:
        raise Refused("MissingContentLength", 411, "You must provide the Content-Length HTTP header.")
    if request.announced > MAX_BODY:
        raise Refused("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed object size.")
    if len(request.body) < request.announced:
        raise Refused(
            "IncompleteBody",
            400,
            "You did not provide the number of bytes specified by the Content-Length HTTP header.",
        )


def _check_digests(request: S3Request) -> None:
    payload = request.headers.get("x-amz-content-sha256", _UNSIGNED)
    if payload != _UNSIGNED and not compare_digest(payload.encode(), hashlib.sha256(request.body).hexdigest().encode()):
        raise Refused("XAmzContentSHA256Mismatch", 400, "The provided x-amz-content-sha256 does not match.")
    md5 = request.headers.get("Content-MD5")
    if md5 is not None and _decoded(md5, 16) != hashlib.md5(request.body, usedforsecurity=False).digest():
        raise Refused("BadDigest", 400, "The Content-MD5 you specified did not match what we received.")
    given = [name for name in _CHECKSUM_HEADERS if name in request.headers]
    if len(given) > 1:
        raise Refused("InvalidRequest", 400, "You can only specify one non-default checksum at a time.")
    for name in given:
        expected = CHECKSUMS[_CHECKSUM_HEADERS[name]](request.body)
        if _decoded(request.headers[name], len(expected)) != expected:
            raise Refused("BadDigest", 400, f"The {name} you specified did not match what we received.")


def _decoded(digest: str, size: int) -> bytes:
    try:
        decoded = b64decode(digest, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if len(decoded) != size:
        raise Refused("InvalidDigest", 400, "The digest you specified is not valid.")
    return decoded
