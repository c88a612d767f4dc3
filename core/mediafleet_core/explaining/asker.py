"""For whom an explanation is: advice that only others can follow names them. Pure."""

from __future__ import annotations

from typing import NamedTuple

from mediafleet_core.identity import TenantId


class Asker(NamedTuple):
    """Who asks, and what they may do besides reading.

    `uploads`: send and retry files of their tenant; `administers`: see every tenant's, and steer the fleet.
    """

    tenant: TenantId
    uploads: bool
    administers: bool

    def operating(self, step: str) -> str:
        """A step on the fleet."""
        return step if self.administers else f"For an administrator: {step}"

    def uploading(self, step: str, tenant: TenantId) -> str:
        """A step on an upload of this tenant."""
        if self.uploads and self.tenant == tenant:
            return step
        return f"For whoever has a token of the tenant {tenant} with the scope `upload`: {step}"
