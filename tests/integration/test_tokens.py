"""Tokens that are refused: what is wrong with them is told, and nothing that stands in them."""

from __future__ import annotations

import time

import jwt
import pytest
from grpc import StatusCode

from mediafleet.v1.uploads_pb2 import GetUploadRequest
from mediafleet_core.errors import Reason
from mediafleet_core.identity import new_upload_id
from tests.gateways import KEY, Reached, refused


@pytest.mark.parametrize(
    ("claims", "claim", "told"),
    [
        ({"tenant": None}, "tenant", "is missing"),
        ({"tenant": "Not A Tenant"}, "tenant", "must be 1 to 63"),
        ({"tenant": 7}, "tenant", "must be 1 to 63"),
        ({"scope": None}, "scope", "is missing"),
        ({"scope": ["read"]}, "scope", "must be names separated by spaces"),
        ({"exp": None}, "exp", "is missing"),
        ({"exp": "tomorrow"}, "exp", "must be in seconds since 1970"),
        ({"nbf": "hunter2"}, "nbf", "must be in seconds since 1970"),
        ({"nbf": 1 << 40}, "nbf", "not in the future by the gateway's clock"),
        ({"iat": 1 << 40}, "iat", "not in the future by the gateway's clock"),
        ({"iat": "hunter2"}, "iat", "must be in seconds since 1970"),
        ({"iat": 1 << 40, "exp": 1}, "iat", "not in the future by the gateway's clock"),
        ({"aud": "hunter2"}, "aud", "must be left out"),
        ({"sub": 7}, "sub", "must be text"),
        ({"jti": 7}, "jti", "must be text"),
    ],
)
async def test_a_wrong_claim_is_named_and_not_quoted(
    reached: Reached, claims: dict[str, object], claim: str, told: str
) -> None:
    good = {"tenant": "ann", "scope": "read", "exp": int(time.time()) + 60, "iss": "whoever"}
    wrong = {name: value for name, value in (good | claims).items() if value is not None}
    token = jwt.encode(wrong, KEY)
    request = GetUploadRequest(upload_id=new_upload_id())
    with refused(StatusCode.UNAUTHENTICATED, Reason.TOKEN_INVALID) as refusal:
        await reached.uploads.GetUpload(request, metadata=(("authorization", f"Bearer {token}"),))
    assert refusal.info.metadata["claim"] == claim
    assert f"the token's claim `{claim}` " in refusal.message
    assert told in refusal.message
    secrets = {token, *token.split("."), *(value for value in claims.values() if isinstance(value, str))}
    assert [secret for secret in secrets if secret in refusal.message] == []
