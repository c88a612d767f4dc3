"""What lies in the bucket: moto's state, which some rules and the archive look into."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import create_backend_app
from moto.s3.models import FakeMultipart, S3Backend, s3_backends

from mediafleet_devserver.r2.refusals import Refused

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from mediafleet_devserver.r2.request import S3Request

_PARTITION = "aws"

STATE = threading.RLock()
"""Held by whoever looks at the state or changes it. moto does both in several steps: an object is there before its
metadata, and a multipart is gone before its object is there."""


def s3_application() -> WSGIApplication:
    """moto's S3 as a WSGI application: it checks what S3 checks of names and conditions, and no signature."""
    return create_backend_app("s3").wsgi_app


def backend() -> S3Backend:
    """The state behind every `s3_application` of this process."""
    return s3_backends[DEFAULT_ACCOUNT_ID][_PARTITION]


def make_bucket(name: str) -> None:
    """Create it unless it is there."""
    if name not in backend().buckets:
        backend().create_bucket(name, "us-east-1")


def multipart_of(request: S3Request) -> FakeMultipart:
    """The unfinished multipart that the request names. Raises NoSuchUpload, for which moto fails."""
    bucket = backend().buckets.get(request.bucket)
    multipart = bucket.multiparts.get(request.parameters["uploadId"]) if bucket else None
    if multipart is None or multipart.key_name != request.key:
        raise Refused("NoSuchUpload", 404, "The specified multipart upload does not exist.")
    return multipart
