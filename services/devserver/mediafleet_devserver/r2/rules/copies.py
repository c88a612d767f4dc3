"""Copies within the storage: of a source that exists and is the one meant, and of no more than one call may."""

from __future__ import annotations

import re
from urllib.parse import unquote

from mediafleet_devserver.r2.contents import backend
from mediafleet_devserver.r2.operations import Operation
from mediafleet_devserver.r2.refusals import Refused
from mediafleet_devserver.r2.request import S3Request
from mediafleet_devserver.r2.rules.integrity import MAX_BODY

_COPIES = frozenset({Operation.COPY_OBJECT, Operation.UPLOAD_PART_COPY})
_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]+)")


def copies_are_of_what_was_meant(request: S3Request) -> None:
    """Raises InvalidArgument, NoSuchKey, PreconditionFailed, InvalidRange, EntityTooLarge.

    moto looks at no condition but If-None-Match, and takes a range that is none for the whole.
    """
    if request.operation not in _COPIES:
        return
    bucket, _, key = unquote(request.headers["x-amz-copy-source"]).lstrip("/").partition("/")
    if not key:
        raise Refused("InvalidArgument", 400, "Copy Source must mention the source bucket and key.")
    source = backend().get_object(bucket, key) if bucket in backend().buckets else None
    if source is None:
        raise Refused("NoSuchKey", 404, "The specified key does not exist.")
    etag = source.etag.strip('"')
    if request.headers.get("x-amz-copy-source-if-match", etag).strip('"') != etag:
        raise _failed()
    if request.headers.get("x-amz-copy-source-if-none-match", "").strip('"') == etag:
        raise _failed()
    if _bytes_of(request, source.contentsize) > MAX_BODY:
        raise Refused("EntityTooLarge", 400, "The copy source is larger than one copy may be.")


def _bytes_of(request: S3Request, size: int) -> int:
    asked = request.headers.get("x-amz-copy-source-range")
    if asked is None or request.operation is Operation.COPY_OBJECT:
        return size
    match = _RANGE.fullmatch(asked)
    if match is None:
        raise Refused("InvalidArgument", 400, "The x-amz-copy-source-range value must be of the form bytes=first-last.")
    first, last = int(match[1]), int(match[2])
    if not first <= last < size:
        raise Refused("InvalidRange", 416, "The range lies outside of the copy source.")
    return last - first + 1


def _failed() -> Refused:
    return Refused("PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold.")
