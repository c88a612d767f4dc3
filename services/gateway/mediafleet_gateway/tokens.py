"""Bearer tokens: JWT, signed with a key that gateway and issuer share. Loads a cryptographic library of 9 MiB."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import cast

import jwt
from jwt.types import Options

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.identity import TenantId, is_name
from mediafleet_gateway.auth import Principal, Scope

ALGORITHM = "HS256"

_REQUIRED = ["exp", "tenant", "scope"]
_PAST = "must be in seconds since 1970, and not in the future by the gateway's clock"
_MUSTS: Mapping[str, str] = MappingProxyType(
    {
        "nbf": _PAST,
        "iat": _PAST,
        "aud": "must be left out",
        "sub": "must be text",
        "jti": "must be text",
        "exp": "must be in seconds since 1970",
    }
)
"""What the library asks of each claim, in words for people; `exp` last, as it may be past beside what else is wrong."""


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
                return jwt.decode(token, key, algorithms=[ALGORITHM], options={"require": _REQUIRED})
            except jwt.InvalidSignatureError:
                continue
            except jwt.ExpiredSignatureError:
                raise MediafleetError(Reason.TOKEN_EXPIRED, "the token has expired; get a new one") from None
            except jwt.MissingRequiredClaimError as missing:
                raise _wrong(missing.claim, "is missing") from None
            except jwt.InvalidTokenError:
                raise _refused(token, key) from None
        raise _invalid("the token is not signed by a key known here")


def _refused(token: str, key: str) -> MediafleetError:
    """Why the library refuses a token: not all of its errors name the claim, so each is looked at by itself."""
    for claim in ("", *_MUSTS):  # none at first: whether the token can be read at all
        alone = cast(Options, {f"verify_{each}": each == claim for each in _MUSTS})
        try:
            jwt.decode(token, key, algorithms=[ALGORITHM], options=alone)
        except jwt.InvalidTokenError:
            return _wrong(claim, _MUSTS[claim]) if claim else _invalid("the token cannot be read")
    return _invalid("the token is not valid")


def _principal(claims: Mapping[str, object]) -> Principal:
    tenant, scope = claims["tenant"], claims["scope"]
    if not isinstance(tenant, str) or not is_name(tenant):
        raise _wrong("tenant", "must be 1 to 63 of a-z, 0-9, dot, dash and underscore")
    if not isinstance(scope, str):
        raise _wrong("scope", "must be names separated by spaces")
    known = {member.value for member in Scope}
    return Principal(TenantId(tenant), frozenset(Scope(name) for name in scope.split() if name in known))


def _wrong(claim: str, problem: str) -> MediafleetError:
    message = f"the token's claim `{claim}` {problem}"
    return MediafleetError(Reason.TOKEN_INVALID, message, metadata={"claim": claim})


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
