"""Bearer tokens: JWT, signed with a key that gateway and issuer share. Loads a cryptographic library of 9 MiB."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

import jwt

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.identity import TenantId, is_name
from mediafleet_gateway.auth import Principal, Scope

ALGORITHM = "HS256"


class JwtVerifier:
    """Signed tokens (JWT, HS256) with the claims `exp`, `tenant` and `scope` (names separated by spaces)."""

    def __init__(self, keys: Sequence[str]) -> None:
        """A token signed by any of `keys` is good, so that a key can be replaced without a gap."""
        self._keys = tuple(keys)

    async def verify(self, authorization: str) -> Principal:
        """See `TokenVerifier`."""
        scheme, _, token = authorization.strip().partition(" ")
        if not token:
            raise MediafleetError(Reason.TOKEN_MISSING, "send `authorization: Bearer <token>`")
        if scheme.lower() != "bearer":
            raise _invalid("the authorization scheme must be Bearer")
        return _principal(self._claims(token.strip()))

    def _claims(self, token: str) -> Mapping[str, object]:
        for key in self._keys:
            try:
                return jwt.decode(token, key, algorithms=[ALGORITHM], options={"require": ["exp", "tenant", "scope"]})
            except jwt.InvalidSignatureError:
                continue
            except jwt.ExpiredSignatureError:
                raise MediafleetError(Reason.TOKEN_EXPIRED, "the token has expired; get a new one") from None
            except jwt.InvalidTokenError:
                raise _invalid("the token cannot be read or lacks a claim") from None
        raise _invalid("the token is not signed by a key known here")


def _principal(claims: Mapping[str, object]) -> Principal:
    tenant, scope = claims["tenant"], claims["scope"]
    if not isinstance(tenant, str) or not is_name(tenant) or not isinstance(scope, str):
        raise _invalid("the token's tenant or scope is not valid")
    known = {member.value for member in Scope}
    return Principal(TenantId(tenant), frozenset(Scope(name) for name in scope.split() if name in known))


def _invalid(message: str) -> MediafleetError:
    return MediafleetError(Reason.TOKEN_INVALID, message)


def issue(key: str, tenant: str, scopes: Collection[Scope | str], lifetime: timedelta) -> str:
    """A token that `JwtVerifier` accepts for `lifetime` from now; a negative lifetime makes an expired one."""
    claims = {
        "sub": tenant,
        "tenant": tenant,
        "scope": " ".join(sorted(str(scope) for scope in scopes)),
        "exp": int(time.time() + lifetime.total_seconds()),
    }
    return jwt.encode(claims, key, algorithm=ALGORITHM)
