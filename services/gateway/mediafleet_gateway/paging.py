"""Page tokens: opaque, and bound to the arguments of the listing that made them."""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib

from mediafleet.v1.batches_pb2 import ListBatchesRequest
from mediafleet.v1.notifications_pb2 import ListNotificationsRequest
from mediafleet.v1.uploads_pb2 import ListImportablesRequest, ListUploadsRequest
from mediafleet.v1.usage_pb2 import ListUsageHistoryRequest
from mediafleet_core.errors import invalid_field
from mediafleet_core.identity import TenantId

DEFAULT_SIZE = 50
LARGEST_SIZE = 1000
LARGEST_BYTES = 3 << 20
"""Clients refuse messages over 4 MiB unless told otherwise."""

_DIGEST_SIZE = 12
_OLDEST_FIRST = {"": False, "create_time desc": False, "create_time": True}

Request = (
    ListUploadsRequest
    | ListImportablesRequest
    | ListBatchesRequest
    | ListNotificationsRequest
    | ListUsageHistoryRequest
)


def page_size(requested: int) -> int:
    """Rows to answer. Raises FIELD_INVALID for a negative number."""
    if requested < 0:
        raise invalid_field("page_size", "must not be negative")
    return min(requested or DEFAULT_SIZE, LARGEST_SIZE)


def oldest_first(order_by: str) -> bool:
    """The order asked for. Raises FIELD_INVALID."""
    if order_by not in _OLDEST_FIRST:
        raise invalid_field("order_by", "must be `create_time desc` or `create_time`")
    return _OLDEST_FIRST[order_by]


def encode(tenant: TenantId, request: Request, after: str) -> str:
    """The token that goes on behind `after`; "" at the end."""
    place = after.encode()
    return base64.urlsafe_b64encode(_digest(tenant, request, place) + place).decode() if after else ""


def decode(tenant: TenantId, request: Request) -> str:
    """Where the request's token goes on; "" for the first page. Raises FIELD_INVALID for a token not made for it."""
    if not request.page_token:
        return ""
    try:
        token = base64.b64decode(request.page_token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        token = b""
    digest, place = token[:_DIGEST_SIZE], token[_DIGEST_SIZE:]
    if digest != _digest(tenant, request, place):
        raise invalid_field("page_token", "must be a token that this server gave for the same arguments")
    return place.decode(errors="replace")


def _digest(tenant: TenantId, request: Request, place: bytes) -> bytes:
    # The size may change from page to page, as AIP-158 has it.
    bound = copy.deepcopy(request)
    bound.ClearField("page_size")
    bound.ClearField("page_token")
    digest = hashlib.blake2b(digest_size=_DIGEST_SIZE, key=tenant.encode())
    digest.update(place + b"\0" + bound.SerializeToString(deterministic=True))
    return digest.digest()
