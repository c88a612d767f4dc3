"""Where a running dev server is reached, and as whom."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from mediafleet_devserver.data_dir import write_private
from mediafleet_gateway.auth import Scope
from mediafleet_gateway.tokens import issue

TOKEN_LIFETIME = timedelta(days=90)
USER_SCOPES = (Scope.UPLOAD, Scope.READ, Scope.CANCEL)


@dataclass(frozen=True)
class Tokens:
    """Bearer tokens of two tenants that see nothing of one another, and of the staff."""

    token: str
    other_token: str
    admin_token: str

    @classmethod
    def signed_by(cls, key: str) -> Tokens:
        """Fresh ones; those of an earlier start stay good until they expire."""
        return cls(
            token=issue(key, "demo", USER_SCOPES, TOKEN_LIFETIME),
            other_token=issue(key, "other", USER_SCOPES, TOKEN_LIFETIME),
            admin_token=issue(key, "staff", tuple(Scope), TOKEN_LIFETIME),
        )


@dataclass(frozen=True)
class Endpoints:
    """The content of `endpoints.json`."""

    gateways: Sequence[str]
    """host:port of each."""
    token: str
    other_token: str
    admin_token: str
    metrics: Sequence[str]
    """URL of each process's metrics page."""
    redis: str
    """URL of the ledger's database."""
    storage: str
    """Base URL from which objects are downloaded."""
    pids: Mapping[str, int]
    """Pid of each child by its name."""

    def write(self, path: Path) -> None:
        """Replace the file in one step; its owner alone can read it, as it holds tokens."""
        write_private(path, json.dumps(dataclasses.asdict(self), indent=2) + "\n")
