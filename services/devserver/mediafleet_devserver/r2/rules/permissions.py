"""A token for objects reaches those of its bucket, perhaps only to read; all else needs an admin's."""

from __future__ import annotations

from collections.abc import Mapping

from mediafleet_devserver.r2.operations import Operation
from mediafleet_devserver.r2.refusals import Refused
from mediafleet_devserver.r2.request import S3Request
from mediafleet_devserver.r2.rules.authentication import access_key_id
from mediafleet_devserver.r2.settings import AccessKey, Right

# HeadBucket is among them: R2 does not promise it to a token for objects.
ADMIN_ONLY = frozenset(
    {
        Operation.LIST_BUCKETS,
        Operation.CREATE_BUCKET,
        Operation.DELETE_BUCKET,
        Operation.HEAD_BUCKET,
        Operation.GET_BUCKET_LOCATION,
        Operation.GET_BUCKET_CORS,
        Operation.PUT_BUCKET_CORS,
        Operation.DELETE_BUCKET_CORS,
        Operation.GET_BUCKET_LIFECYCLE,
        Operation.PUT_BUCKET_LIFECYCLE,
        Operation.DELETE_BUCKET_LIFECYCLE,
        Operation.GET_BUCKET_ENCRYPTION,
    }
)


READS = frozenset(
    {
        Operation.LIST_OBJECTS,
        Operation.LIST_OBJECTS_V2,
        Operation.LIST_MULTIPART_UPLOADS,
        Operation.LIST_PARTS,
        Operation.HEAD_OBJECT,
        Operation.GET_OBJECT,
    }
)
"""All that a token may do that can only read."""


class Permissions:
    """Compares the operation and the bucket with the rights of the key that signed."""

    def __init__(self, access_keys: Mapping[str, AccessKey], bucket: str) -> None:
        """Keys without admin rights are for `bucket` only."""
        self._access_keys = access_keys
        self._bucket = bucket

    def __call__(self, request: S3Request) -> None:
        """Raises AccessDenied."""
        right = self._access_keys[access_key_id(request)].right
        if right is Right.ADMIN:
            return
        source = request.headers.get("x-amz-copy-source", "").lstrip("/").partition("/")[0]
        elsewhere = request.bucket != self._bucket or source not in {"", self._bucket}
        may_not_write = right is Right.READ and request.operation not in READS
        if request.operation in ADMIN_ONLY or elsewhere or may_not_write:
            raise Refused("AccessDenied", 403, "Access Denied")
