"""The only place that spells a key in the bucket.

Everything of an upload lives below one prefix; what a writer or an attempt makes lives below its own fence, so that
nobody can overwrite what another wrote.
"""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

from mediafleet_core.identity import TenantId, UploadId

ROOT = "uploads/"
ARCHIVE = "archive/"
IMPORTS = "imports/"
CHECK = "check/"
"""What is tried out, and removed again, when somebody asks whether the storage works."""

CHECK_KEY = f"{CHECK}absent"
"""Nobody writes it."""

_COUNTED = re.compile(rf"{ROOT}([^/]+)/([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})/[or]/.")


class UploadKeys(NamedTuple):
    """The keys of one upload."""

    tenant: TenantId
    upload_id: UploadId

    @property
    def prefix(self) -> str:
        """Where everything of the upload lives."""
        return f"{ROOT}{self.tenant}/{self.upload_id}/"

    @property
    def manifest(self) -> str:
        """The durable record, written beside the bytes after the commit."""
        return f"{self.prefix}manifest.json"

    @property
    def originals(self) -> str:
        """Where the original lives, whichever writer finished it."""
        return f"{self.prefix}o/"

    def original(self, fence: int) -> str:
        """The file as it was received by the writer that holds `fence`."""
        return f"{self.originals}{fence}"

    @property
    def tails(self) -> str:
        """Where the tails of all writers live."""
        return f"{self.prefix}tail/"

    def tail(self, fence: int) -> str:
        """Bytes after the last whole part, kept at a clean half-close of the writer that holds `fence`."""
        return f"{self.tails}{fence}"

    def attempt(self, fence: int) -> str:
        """The prefix of everything that the attempt with `fence` stores."""
        return f"{self.prefix}r/{fence}/"

    def rendition(self, fence: int, name: str, suffix: str) -> str:
        """One rendition of the attempt with `fence`; `suffix` with its dot."""
        return f"{self.attempt(fence)}{name}{suffix}"


def imports(tenant: TenantId) -> str:
    """Where the tenant's objects lie that it may import; nothing of ours is ever written, changed or deleted there."""
    return f"{IMPORTS}{tenant}/"


def archive(tenant: TenantId, what: str, day: date, name: str) -> str:
    """A file of records that left the ledger on this day: `what` they are, and a name that is unique among these."""
    return f"{ARCHIVE}{tenant}/{what}/{day.isoformat()}/{name}.jsonl"


def upload_of(key: str) -> UploadId:
    """The upload that `key` belongs to, as its spelling says; "" for a key of another shape."""
    parts = key.removeprefix(ROOT).split("/")
    return UploadId(parts[1] if len(parts) > 2 else "")


def tenant_of(key: str) -> TenantId:
    """Whose `key` it is, also of a prefix that names a tenant; "" for what belongs to nobody."""
    _, slash, below = key.partition("/")
    tenant, named, _ = below.partition("/")
    return TenantId(tenant if key.startswith((ROOT, IMPORTS, ARCHIVE)) and slash and named else "")


def counted_for(key: str) -> tuple[TenantId, UploadId] | None:
    """The upload whose original or rendition `key` is, as its spelling says; None for what usage does not count."""
    found = _COUNTED.match(key)
    return (TenantId(found[1]), UploadId(found[2])) if found else None


def deletion_rank(key: str) -> int:
    """When to delete `key` among those of its upload: 0 for originals, 2 for the manifest, 1 for all else."""
    below = key.removeprefix(ROOT).split("/")[2:]
    return 0 if below[0] == "o" else 2 if below == ["manifest.json"] else 1
