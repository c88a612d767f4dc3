"""Every probe of the manifests is asked of real processes, and told from the others."""

from __future__ import annotations

import asyncio
import urllib.request
from pathlib import Path
from typing import Any

from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from redis.asyncio import Redis

from mediafleet_core.media_types import MediaKind
from mediafleet_gateway.gateway import LIVENESS
from tests.deploy.manifests import OVERLAYS, Object, container, of_kind
from tests.gateways import running
from tests.gateways import settings as gateway_settings
from tests.workers import settings as worker_settings
from tests.workers import working

PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


def probes(prefix: str, kind: str) -> list[Object]:
    """What is asked for start, life and readiness of the Deployments whose image begins so; all must ask alike."""
    found = [
        [container(each)[probe][kind] for probe in PROBES]
        for overlay in OVERLAYS
        for each in of_kind(overlay, "Deployment")
        if container(each)["image"].startswith(prefix)
    ]
    assert all(each == found[0] for each in found)
    return found[0]


async def test_a_gateways_probes_name_services_that_it_has(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    services = [each["service"] for each in probes("mediafleet-gateway:", "grpc")]
    async with running(gateway_settings(redis_url, tmp_path)) as reached:
        health: Any = HealthStub(reached.channel)  # its published types leave the methods out

        async def told() -> list[int]:
            asked = [health_pb2.HealthCheckRequest(service=service) for service in services]
            return [(await health.Check(each)).status for each in asked]

        assert await told() == [SERVING] * 3
        await reached.gateway.drain()
        assert services[:2] == [LIVENESS] * 2
        assert await told() == [SERVING, SERVING, NOT_SERVING]


async def test_a_workers_probes_name_paths_that_it_has(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    paths = [each["path"] for each in probes("mediafleet-workers:", "httpGet")]
    assert paths == ["/livez", "/livez", "/readyz"]
    configured = worker_settings(redis_url, tmp_path, worker_kinds=(MediaKind.OTHER,))
    async with working(configured) as worker:
        pages = [f"http://{worker.metrics_address}{path}" for path in paths]
        assert [await asyncio.to_thread(_body, page) for page in pages] == [b"yes\n"] * 3


def _body(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return bytes(answer.read())


def test_a_probe_of_life_is_slower_to_judge_than_one_of_readiness() -> None:
    for each in of_kind("prod", "Deployment"):
        startup, life, readiness = (container(each)[probe] for probe in PROBES)
        patience = [probe["periodSeconds"] * probe["failureThreshold"] for probe in (startup, life, readiness)]
        assert patience[0] >= 60
        assert patience[1] >= 60 > patience[2]
