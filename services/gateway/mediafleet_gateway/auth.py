"""Who calls, and what they may do: bearer tokens that name one tenant and its scopes."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from contextvars import ContextVar
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, Protocol

import jwt

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.identity import TenantId, is_name

ALGORITHM = "HS256"
LOCAL_TENANT = TenantId("local")


class Scope(StrEnum):
    """What a token allows."""

    UPLOAD = "upload"
    READ = "read"
    CANCEL = "cancel"
    ADMIN = "admin"


class Principal(NamedTuple):
    """The caller of one RPC."""

    tenant: TenantId
    scopes: frozenset[Scope]

    def require(self, scope: Scope) -> None:
        """Raise SCOPE_MISSING."""
        if scope not in self.scopes:
            raise MediafleetError(
                Reason.SCOPE_MISSING, f"the token lacks the scope `{scope}`", metadata={"scope": scope.value}
            )


class TokenVerifier(Protocol):
    """Turns the `authorization` metadata into a principal."""

    async def verify(self, authorization: str) -> Principal:
        """Raises TOKEN_MISSING, TOKEN_INVALID, TOKEN_EXPIRED; `authorization` is "" when the caller sent none."""


class AnonymousVerifier:
    """No credentials are configured: every caller is the tenant `local` and may do everything. Loopback only."""

    async def verify(self, authorization: str) -> Principal:
        """The same principal for everyone."""
        return Principal(LOCAL_TENANT, frozenset(Scope))


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


_SCOPES: Mapping[str, Mapping[Scope, str]] = {
    "mediafleet.v1.UploadService": {
        Scope.UPLOAD: (
            "CreateUpload WriteUpload UploadFile QueryWriteStatus SignUploadParts CompleteDirectUpload"
            " UpdateUpload RetryUpload"
        ),
        Scope.READ: "GetUpload ListUploads WatchUpload WatchUploads CreateDownloadUrl",
        Scope.CANCEL: "CancelUpload DeleteUpload",
    },
    "mediafleet.v1.BatchService": {
        Scope.UPLOAD: "CreateBatch SealBatch RetryBatch",
        Scope.READ: "GetBatch ListBatches WatchBatch ExportBatchReport",
        Scope.CANCEL: "CancelBatch",
    },
    "mediafleet.v1.UsageService": {Scope.READ: "GetUsage ListUsageHistory GetQuota"},
    "mediafleet.v1.FleetService": {Scope.ADMIN: "GetFleet PauseQueue ResumeQueue"},
}

REQUIRED_SCOPE: Mapping[str, Scope] = MappingProxyType(
    {
        f"/{service}/{method}": scope
        for service, by_scope in _SCOPES.items()
        for scope, methods in by_scope.items()
        for method in methods.split()
    }
)
"""The scope that each method needs; health, reflection and unknown methods need no credentials."""

_caller: ContextVar[Principal] = ContextVar("caller")


def caller() -> Principal:
    """The principal of the RPC that runs in this task."""
    return _caller.get()


def set_caller(principal: Principal) -> None:
    """Make `principal` the caller for the rest of this task."""
    _caller.set(principal)
