"""What a request id stands for."""

from __future__ import annotations

import hashlib

import msgspec

from mediafleet_core.ports import RequestKey


def request_key(method: str, request_id: str, asked: object) -> RequestKey | None:
    """The id with a digest of what was `asked` under it; None for a caller that gave no id."""
    if not request_id:
        return None
    encoded = msgspec.json.encode(asked, order="deterministic")
    return RequestKey(method, request_id, hashlib.sha256(encoded).hexdigest())
