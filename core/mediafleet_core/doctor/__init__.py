"""What `mediafleet doctor` looks at where a gateway or worker runs: settings, Redis, storage.

The command is the SDK's; it finds this by the entry point group `mediafleet.doctor`, and knows `Check` and `Finding` by
their fields alone: decision 21.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from mediafleet_core.doctor import environment, redis
from mediafleet_core.doctor.bucket import BucketExam
from mediafleet_core.doctor.environment import is_server, read_parts
from mediafleet_core.doctor.findings import Check, Finding, Status, failed, ok, skipped, warning
from mediafleet_core.doctor.storage import StorageExam
from mediafleet_core.ledger import LedgerSettings
from mediafleet_core.queue import QueueSettings
from mediafleet_core.settings import SettingsError, read
from mediafleet_core.storage import StorageSettings

__all__ = ["Check", "Finding", "Status", "checks", "failed", "is_server", "ok", "read_parts", "skipped", "warning"]


def checks(origin: str) -> Iterator[Check]:
    """All that concerns both gateways and workers; `origin` of a page that sends direct uploads, or ""."""
    yield Check("variables", environment.unread)
    if not is_server():
        yield Check("elsewhere", _elsewhere)
        return
    yield Check("settings", lambda: read_parts("settings", (LedgerSettings, QueueSettings)))
    yield Check("redis", redis.examine)
    try:
        storage = StorageExam(read(StorageSettings))
    except SettingsError:
        yield Check("storage", lambda: read_parts("storage", (StorageSettings,)))
        return
    bucket = BucketExam(storage, origin)
    yield Check("storage", storage.access)
    yield Check("clock", bucket.clock)
    yield Check("objects", storage.objects)
    yield Check("multipart", storage.multipart)
    yield Check("browsers", bucket.browsers)
    yield Check("lifecycle", bucket.lifecycle)


async def _elsewhere() -> AsyncIterator[Finding]:
    yield skipped(
        "redis, storage",
        "nothing here tells where they are",
        "nothing has to be done for a dev server; else run it where a gateway or worker runs: "
        "kubectl exec deploy/mediafleet-gateway -- mediafleet doctor",
    )
