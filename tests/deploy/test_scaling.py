"""What scales workers counts what waits and what runs, in a real ledger, and nothing else sets their number."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from redis.asyncio import Redis

from mediafleet_core.ledger import LedgerSettings
from mediafleet_core.media_types import MediaKind
from tests.deploy.manifests import DEPLOY, Object, environment, name, of_kind
from tests.workers import Shop, open_shop, settings

TYPES = {"IMAGE": "image/png", "AUDIO": "audio/mpeg", "VIDEO": "video/mp4", "DOCUMENT": "application/pdf", "OTHER": ""}
COUNTS = {b"zset": "ZCARD", b"list": "LLEN", b"set": "SCARD", b"hash": "HLEN"}
"""How KEDA's redis scaler counts a key, by its type; a key that is not there counts 0."""


@pytest.fixture
async def shop(redis_url: str, redis_client: Redis, tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_shop(settings(redis_url, tmp_path)) as opened:
        yield opened


def scaled() -> dict[str, Object]:
    return {name(each): each for each in of_kind("prod", "ScaledObject")}


async def count(redis: Redis, trigger: Object) -> int:
    """What KEDA counts."""
    key = trigger["metadata"]["listName"]
    client: Any = redis  # whose published types know no command by its name
    kind = await client.type(key)
    return 0 if kind == b"none" else int(await client.execute_command(COUNTS[kind], key))


@pytest.mark.parametrize("kind", MediaKind)
async def test_keda_counts_what_waits_and_what_runs(shop: Shop, redis_client: Redis, kind: MediaKind) -> None:
    spec = scaled()[f"mediafleet-worker-{kind.lower()}"]["spec"]
    triggers = {trigger["name"]: trigger for trigger in spec["triggers"]}
    assert {trigger["type"] for trigger in triggers.values()} == {"redis"}
    for other in MediaKind:
        for _ in range(4):
            await shop.bring(b"content", content_type=TYPES[other], silently=True)
        for _ in range(3 if other is kind else 1):
            assert await shop.ledger.claim([other], "worker", timedelta(minutes=1))
    counts = {each: await count(redis_client, trigger) for each, trigger in triggers.items()}
    assert counts == {"waiting": 1, "running": 3}
    assert spec["advanced"]["scalingModifiers"]["formula"].split(" + ") == list(counts)
    database = urlsplit(str(LedgerSettings.model_fields["ledger_url"].default)).path.lstrip("/")
    assert {trigger["metadata"]["databaseIndex"] for trigger in triggers.values()} == {database}


def test_a_pod_is_wanted_for_as_much_work_as_it_has_slots() -> None:
    workers = {name(each): each for each in of_kind("prod", "Deployment")}
    for target, each in scaled().items():
        if "worker" in target:
            slots = environment("prod", workers[target])["MEDIAFLEET_WORKER_SLOTS"]
            modifiers = each["spec"]["advanced"]["scalingModifiers"]
            assert (modifiers["target"], modifiers["metricType"]) == (slots, "AverageValue")


@pytest.mark.parametrize(("overlay", "kind"), [("prod", "ScaledObject"), ("staging", "HorizontalPodAutoscaler")])
def test_who_scales_is_the_only_one_who_says_how_many(overlay: str, kind: str) -> None:
    scalers = {name(each): each["spec"] for each in of_kind(overlay, kind)}
    fixed = {name(each) for each in of_kind(overlay, "Deployment") if "replicas" in each["spec"]}
    everyone = {name(each) for each in of_kind(overlay, "Deployment")}
    assert everyone - scalers.keys() == fixed == {"mediafleet-housekeeping"}
    for target, spec in scalers.items():
        assert spec["scaleTargetRef"]["name"] == target
        behavior = (spec.get("advanced", {}).get("horizontalPodAutoscalerConfig") or spec)["behavior"]
        assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 60
        most = spec.get("maxReplicas", spec.get("maxReplicaCount"))
        assert 1 <= spec.get("minReplicas", spec.get("minReplicaCount")) < most


def test_every_object_of_keda_has_the_fields_that_it_reads() -> None:
    authentications = {name(each): each["spec"] for each in of_kind("prod", "TriggerAuthentication")}
    for each in scaled().values():
        assert each["apiVersion"] == "keda.sh/v1alpha1"
        assert each["spec"].keys() <= FIELDS
        for trigger in each["spec"]["triggers"]:
            assert trigger.keys() <= {"type", "name", "metadata", "metricType", "authenticationRef"}
            assert all(isinstance(value, str) for value in trigger["metadata"].values())
            if reference := trigger.get("authenticationRef"):
                given = {parameter["parameter"] for parameter in authentications[reference["name"]]["secretTargetRef"]}
                assert given == {"address", "password"}


FIELDS = {"scaleTargetRef", "pollingInterval", "minReplicaCount", "maxReplicaCount", "fallback", "advanced", "triggers"}


def test_components_for_scaling_are_never_together() -> None:
    for file in (DEPLOY / "k8s/overlays").glob("*/kustomization.yaml"):
        components = {path.rpartition("/")[2] for path in yaml.safe_load(file.read_text())["components"]}
        assert not {"keda", "hpa"} <= components
