"""The fleet that is observed, and how it is labelled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import redis

from tests.receivers import SECRET

FLAGS: Final = ("--gateways", "2", "--workers", "2", "--storage", "s3")
JOBS: Final[Mapping[str, str]] = {
    "gateway": "mediafleet-gateway",
    "worker-image": "mediafleet-worker-image",
    "worker-other": "mediafleet-worker-other",
}
SMALL_TENANT: Final = "other"
"""The dev server's second tenant, whose quota is soon exhausted."""


def limit_memory(redis_url: str) -> None:
    """As in production, so that the share of it that is used is a figure."""
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory", "256mb")


def settings(webhook_url: str) -> dict[str, str]:
    """Of every process."""
    return {
        "MEDIAFLEET_WEBHOOKS": json.dumps({"demo": {"url": webhook_url, "secret": SECRET}}),
        "MEDIAFLEET_WEBHOOK_PRIVATE": "true",
        "MEDIAFLEET_WATCH_HEARTBEAT": "PT2S",
        "MEDIAFLEET_TENANTS": json.dumps({SMALL_TENANT: {"tenant_bytes": 100_000}}),
    }
