"""Who calls, and what they may do: bearer tokens that name one tenant and its scopes."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, Protocol

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.identity import TenantId

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


_SCOPES: Mapping[str, Mapping[Scope, str]] = {
    "mediafleet.v1.UploadService": {
        Scope.UPLOAD: (
            "CreateUpload WriteUpload UploadFile QueryWriteStatus SignUploadParts CompleteDirectUpload"
            " ListImportables ImportUpload UpdateUpload RetryUpload"
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
    "mediafleet.v1.NotificationService": {
        Scope.UPLOAD: "ReplayWebhooks",
        Scope.READ: "ListNotifications MarkNotificationsRead",
    },
    "mediafleet.v1.FleetService": {Scope.ADMIN: "GetFleet PauseQueue ResumeQueue", Scope.READ: "ExplainUpload"},
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
