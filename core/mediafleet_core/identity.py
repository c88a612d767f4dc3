"""Names of things: tenants, uploads, batches, collections; how they are made and checked."""

from __future__ import annotations

import re
from typing import NewType

import uuid_utils

TenantId = NewType("TenantId", str)
UploadId = NewType("UploadId", str)
BatchId = NewType("BatchId", str)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def new_upload_id() -> UploadId:
    """A UUIDv7 in canonical lower-case text: ids sort by creation time, which the listing indexes rely on."""
    return UploadId(str(uuid_utils.uuid7()))


def is_upload_id(text: str) -> bool:
    """Whether `text` is spelled as `new_upload_id` spells ids."""
    return _UUID7.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Whether `text` may name a tenant or a collection: 1 to 63 of a-z, 0-9, dot, dash, underscore."""
    return _NAME.fullmatch(text) is not None
