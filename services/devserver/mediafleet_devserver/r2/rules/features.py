"""R2 has no ACL, tagging, versioning, object lock or POST forms, and says so instead of looking away."""

from __future__ import annotations

from mediafleet_devserver.r2.refusals import not_implemented
from mediafleet_devserver.r2.request import S3Request

_HEADERS = (
    "x-amz-acl",
    "x-amz-grant-",
    "x-amz-mfa",
    "x-amz-object-lock-",
    "x-amz-request-payer",
    "x-amz-server-side-encryption",
    "x-amz-tagging",
    "x-amz-website-redirect-location",
)
"""Names, and beginnings of names."""


def only_what_r2_has(request: S3Request) -> None:
    """Raises NotImplemented for an operation or a header that R2 does not know."""
    if request.operation is None:
        subject = " ".join([request.method, *request.parameters])
        raise not_implemented(f"Operation '{subject}'")
    for name, value in request.headers.items():
        # Keys of one's own choice come under other names: x-amz-server-side-encryption-customer-*.
        if name.lower().startswith(_HEADERS) and "-customer-" not in name.lower():
            raise not_implemented(f"Header '{name.lower()}' with value '{value}'")
