"""The operations that R2's S3 API has, and how a request names one."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Literal

Level = Literal["service", "bucket", "object"]


class Operation(StrEnum):
    """Named as in S3's reference."""

    LIST_BUCKETS = "ListBuckets"

    CREATE_BUCKET = "CreateBucket"
    DELETE_BUCKET = "DeleteBucket"
    HEAD_BUCKET = "HeadBucket"
    GET_BUCKET_LOCATION = "GetBucketLocation"
    GET_BUCKET_CORS = "GetBucketCors"
    PUT_BUCKET_CORS = "PutBucketCors"
    DELETE_BUCKET_CORS = "DeleteBucketCors"
    GET_BUCKET_LIFECYCLE = "GetBucketLifecycleConfiguration"
    PUT_BUCKET_LIFECYCLE = "PutBucketLifecycleConfiguration"
    DELETE_BUCKET_LIFECYCLE = "DeleteBucketLifecycle"
    GET_BUCKET_ENCRYPTION = "GetBucketEncryption"

    LIST_OBJECTS = "ListObjects"
    LIST_OBJECTS_V2 = "ListObjectsV2"
    LIST_MULTIPART_UPLOADS = "ListMultipartUploads"
    DELETE_OBJECTS = "DeleteObjects"

    HEAD_OBJECT = "HeadObject"
    GET_OBJECT = "GetObject"
    PUT_OBJECT = "PutObject"
    COPY_OBJECT = "CopyObject"
    DELETE_OBJECT = "DeleteObject"

    CREATE_MULTIPART_UPLOAD = "CreateMultipartUpload"
    UPLOAD_PART = "UploadPart"
    UPLOAD_PART_COPY = "UploadPartCopy"
    LIST_PARTS = "ListParts"
    COMPLETE_MULTIPART_UPLOAD = "CompleteMultipartUpload"
    ABORT_MULTIPART_UPLOAD = "AbortMultipartUpload"


_TABLE: dict[tuple[Level, str, str], Operation] = {
    ("service", "GET", ""): Operation.LIST_BUCKETS,
    ("bucket", "PUT", ""): Operation.CREATE_BUCKET,
    ("bucket", "DELETE", ""): Operation.DELETE_BUCKET,
    ("bucket", "HEAD", ""): Operation.HEAD_BUCKET,
    ("bucket", "GET", "location"): Operation.GET_BUCKET_LOCATION,
    ("bucket", "GET", "cors"): Operation.GET_BUCKET_CORS,
    ("bucket", "PUT", "cors"): Operation.PUT_BUCKET_CORS,
    ("bucket", "DELETE", "cors"): Operation.DELETE_BUCKET_CORS,
    ("bucket", "GET", "lifecycle"): Operation.GET_BUCKET_LIFECYCLE,
    ("bucket", "PUT", "lifecycle"): Operation.PUT_BUCKET_LIFECYCLE,
    ("bucket", "DELETE", "lifecycle"): Operation.DELETE_BUCKET_LIFECYCLE,
    ("bucket", "GET", "encryption"): Operation.GET_BUCKET_ENCRYPTION,
    ("bucket", "GET", ""): Operation.LIST_OBJECTS,
    ("bucket", "GET", "list-type"): Operation.LIST_OBJECTS_V2,
    ("bucket", "GET", "uploads"): Operation.LIST_MULTIPART_UPLOADS,
    ("bucket", "POST", "delete"): Operation.DELETE_OBJECTS,
    ("object", "HEAD", ""): Operation.HEAD_OBJECT,
    ("object", "GET", ""): Operation.GET_OBJECT,
    ("object", "PUT", ""): Operation.PUT_OBJECT,
    ("object", "DELETE", ""): Operation.DELETE_OBJECT,
    ("object", "POST", "uploads"): Operation.CREATE_MULTIPART_UPLOAD,
    ("object", "PUT", "uploadId"): Operation.UPLOAD_PART,
    ("object", "GET", "uploadId"): Operation.LIST_PARTS,
    ("object", "POST", "uploadId"): Operation.COMPLETE_MULTIPART_UPLOAD,
    ("object", "DELETE", "uploadId"): Operation.ABORT_MULTIPART_UPLOAD,
}

_COPIES = {
    Operation.PUT_OBJECT: Operation.COPY_OBJECT,
    Operation.UPLOAD_PART: Operation.UPLOAD_PART_COPY,
}

# Query names of S3's that choose an operation, or a version; R2 has none of these.
# fmt: off
_ABSENT = frozenset({
    "accelerate", "acl", "analytics", "attributes", "intelligent-tiering", "inventory", "legal-hold", "logging",
    "metrics", "notification", "object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock",
    "replication", "requestPayment", "restore", "retention", "select", "tagging", "torrent", "versionId",
    "versioning", "versions", "website",
})
# fmt: on
_CHOOSING = frozenset(subresource for _, _, subresource in _TABLE if subresource) | _ABSENT


def operation_of(level: Level, method: str, query_names: Collection[str], *, copies: bool) -> Operation | None:
    """The operation asked for, or None if R2 has no such one. `copies` tells of an `x-amz-copy-source` header."""
    chosen = sorted(_CHOOSING.intersection(query_names))
    if len(chosen) > 1:
        return None
    operation = _TABLE.get((level, method, chosen[0] if chosen else ""))
    return _COPIES.get(operation, operation) if copies and operation else operation
