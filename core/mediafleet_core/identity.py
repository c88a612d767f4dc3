"""Names of things: tenants, uploads, batches, collections; how they are made and checked."""

from __future__ import annotations

import re
from typing import NewType

import uuid_utils

TenantId = NewType("TenantId", str)
UploadId = NewType("UploadId", str)
BatchId = NewType("BatchId", str)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def new_upload_id() -> UploadId:
    """A UUIDv7 in canonical lower-case text: ids sort by creation time, which the listing indexes rely on."""
    return UploadId(str(uuid_utils.uuid7()))


def new_batch_id() -> BatchId:
    """Likewise for a batch."""
    return BatchId(str(uuid_utils.uuid7()))


def is_name(text: str) -> bool:
    """Whether `text` may name a tenant or a collection: 1 to 63 of a-z, 0-9, dot, dash, underscore."""
    return _NAME.fullmatch(text) is not None
