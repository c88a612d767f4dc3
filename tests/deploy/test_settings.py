"""What the manifests tell a process is what it understands, and enough, and fits its size."""

from __future__ import annotations

import re
from typing import get_type_hints

import pytest

import mediafleet_gateway.bootstrap
import mediafleet_workers.bootstrap
from mediafleet_core.media_types import MediaKind
from mediafleet_core.quotas import Limits
from mediafleet_core.settings import SettingsPart, variables_of
from mediafleet_core.telemetry.metrics import address
from tests.deploy.manifests import (
    DEPLOY,
    Object,
    container,
    each_overlay,
    environment,
    hook,
    name,
    ours,
    pod,
    rendered,
    size,
)

LAST_STEPS = 15
"""Seconds: a worker's given back jobs may take 5, its leave of the fleet 2, bells under way 2; the rest is reserve."""

MIB = 1 << 20
IDLE_GATEWAY, IDLE_WORKER = 160 * MIB, 512 * MIB
"""Bytes of a process beside what uploads and jobs hold: docs/benchmarks.md, and room for the page cache of scratch."""

PLAUSIBLE = {
    "MEDIAFLEET_TOKEN_KEY": "a key for tests only, 32 bytes or more",
    "MEDIAFLEET_LEDGER_URL": "redis://:word@redis.example:6379/0",
    "MEDIAFLEET_BROKER_URL": "redis://:word@redis.example:6379/1",
    "R2_ACCOUNT_ID": "0123456789abcdef" * 2,
    "R2_ACCESS_KEY_ID": "id",
    "R2_SECRET_ACCESS_KEY": "secret",
}

Settings = mediafleet_gateway.bootstrap.Settings | mediafleet_workers.bootstrap.Settings


def _kind_of(workload: Object) -> type[Settings]:
    gateway = container(workload)["image"].startswith("mediafleet-gateway:")
    return mediafleet_gateway.bootstrap.Settings if gateway else mediafleet_workers.bootstrap.Settings


def _fields(workload: Object) -> dict[str, object]:
    """The type of each variable that its process knows."""
    parts = get_type_hints(_kind_of(workload)).values()
    return {
        variable: field.annotation
        for part in parts
        if issubclass(part, SettingsPart)
        for variable, field in variables_of(part).items()
    }


def _told(overlay: str, workload: Object, monkeypatch: pytest.MonkeyPatch, **changed: str) -> Settings:
    """The settings that its process reads, with a plausible value for each secret that it gets."""
    for variable, value in (environment(overlay, workload) | changed).items():
        monkeypatch.setenv(variable, value or PLAUSIBLE.get(variable, value))
    try:
        return _kind_of(workload).from_environment()
    finally:
        monkeypatch.undo()


@each_overlay
def test_every_variable_is_known_and_every_required_one_is_there(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for each in ours(overlay):
        named = {variable["name"] for variable in container(each)["env"]} | environment(overlay, each).keys()
        assert named <= _fields(each).keys(), name(each)
        assert _told(overlay, each, monkeypatch, MEDIAFLEET_ENVIRONMENT="production")  # whatever the overlay says


@each_overlay
def test_no_secret_is_in_a_manifest(overlay: str) -> None:
    assert [each for each in rendered(overlay) if each["kind"] == "Secret"] == []
    guide = set(re.findall(r"[\w-]+", (DEPLOY.parent / "docs/guide/kubernetes.md").read_text()))
    for each in ours(overlay):
        secret = {variable for variable, kind in _fields(each).items() if "SecretStr" in str(kind)}
        secret |= {"MEDIAFLEET_LEDGER_URL", "MEDIAFLEET_BROKER_URL", "MEDIAFLEET_WEBHOOKS"}
        assert not secret & {variable for variable, value in environment(overlay, each).items() if value}
        for variable in container(each)["env"]:
            if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                assert reference["key"] == variable["name"]
                assert {reference["name"], reference["key"]} <= guide, reference


@each_overlay
def test_every_kind_of_work_has_a_deployment_and_one_keeps_house_only(
    overlay: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = {}
    for each in ours(overlay):
        settings = _told(overlay, each, monkeypatch)
        if isinstance(settings, mediafleet_workers.bootstrap.Settings):
            kinds[name(each)] = list(settings.worker.worker_kinds)
    assert kinds.pop("mediafleet-housekeeping") == []
    assert kinds == {f"mediafleet-worker-{kind.lower()}": [kind] for kind in MediaKind}


@each_overlay
def test_processes_listen_where_their_ports_are(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for each in ours(overlay):
        settings = _told(overlay, each, monkeypatch)
        listening = {}
        if isinstance(settings, mediafleet_gateway.bootstrap.Settings):
            listening["grpc"] = address(settings.gateway.gateway_address)
            listening["metrics"] = address(settings.gateway.metrics_address)
            assert settings.gateway.gateway_processes == 1  # a probe would reach any of several
        else:
            listening["metrics"] = address(settings.worker.metrics_address)
        assert {port["name"]: port["containerPort"] for port in container(each)["ports"]} == {
            port: where.port for port, where in listening.items()
        }
        assert not any(where.loopback for where in listening.values())


@each_overlay
def test_memory_and_scratch_hold_what_the_settings_allow(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for each in ours(overlay):
        settings = _told(overlay, each, monkeypatch)
        memory = size(container(each)["resources"]["limits"]["memory"])
        if isinstance(settings, mediafleet_gateway.bootstrap.Settings):
            assert IDLE_GATEWAY + settings.gateway.max_upload_bytes + settings.intake.write_buffer_bytes <= memory
            continue
        for kind in settings.worker.worker_kinds:
            slots, sandbox = settings.worker.worker_slots, settings.sandbox
            assert IDLE_WORKER + slots * sandbox.job_memory <= memory, name(each)
            [scratch] = [volume for volume in pod(each)["volumes"] if volume["name"] == "scratch"]
            assert slots * (Limits().largest(kind) + sandbox.job_file_size) <= size(scratch["emptyDir"]["sizeLimit"])
            [mount] = container(each)["volumeMounts"]
            assert str(settings.worker.scratch_dir) == mount["mountPath"]


@each_overlay
def test_grace_periods_hold_the_hook_the_grace_and_the_last_steps(
    overlay: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ours(overlay):
        settings = _told(overlay, each, monkeypatch)
        allowed = pod(each)["terminationGracePeriodSeconds"]
        if isinstance(settings, mediafleet_gateway.bootstrap.Settings):
            grace = settings.gateway.drain_grace
        else:
            grace = settings.worker.worker_grace
        assert hook(each) + grace.total_seconds() + LAST_STEPS <= allowed, name(each)
