"""The manifests as `kubectl kustomize` makes them of an overlay, and short ways to look into them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
OVERLAYS = sorted(path.name for path in (DEPLOY / "k8s/overlays").iterdir())

Object = dict[str, Any]

WORKLOADS = ("Deployment", "StatefulSet")
_UNITS = {"Mi": 1 << 20, "Gi": 1 << 30}

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


@cache
def rendered(overlay: str) -> tuple[Object, ...]:
    """Every object of it."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("no kubectl here")
    folder = DEPLOY / "k8s/overlays" / overlay
    made = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return tuple(yaml.load_all(made.stdout, yaml.CSafeLoader))


def of_kind(overlay: str, *kinds: str) -> list[Object]:
    """Those of these kinds; there must be some."""
    found = [each for each in rendered(overlay) if each["kind"] in kinds]
    assert found, f"{overlay} has no {' or '.join(kinds)}"
    return found


def name(of: Object) -> str:
    return str(of["metadata"]["name"])


def pod(workload: Object) -> Object:
    """Its pods' spec."""
    spec: Object = workload["spec"]["template"]["spec"]
    return spec


def labels(workload: Object) -> Mapping[str, str]:
    """Its pods' labels."""
    found: Mapping[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return found


def container(workload: Object) -> Object:
    """The only one."""
    [only] = pod(workload)["containers"]
    found: Object = only
    return found


def hook(workload: Object) -> int:
    """Seconds that its container sleeps before it gets SIGTERM."""
    return int(container(workload).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0))


def ours(overlay: str) -> Iterator[Object]:
    """Workloads that run an image of this repository."""
    return (each for each in of_kind(overlay, "Deployment") if container(each)["image"].startswith("mediafleet-"))


def matches(selector: Mapping[str, Any], of: Mapping[str, str]) -> bool:
    """Whether a label selector selects these labels."""
    wanted = selector.get("matchLabels", {})
    assert all(each["operator"] == "In" for each in selector.get("matchExpressions", ()))
    return wanted.items() <= of.items() and all(
        of.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", ())
    )


def size(quantity: str) -> int:
    """Bytes of 64Mi or 2Gi."""
    return int(quantity[:-2]) * _UNITS[quantity[-2:]]


def environment(overlay: str, workload: Object, secret: str = "") -> dict[str, str]:
    """The variables of its container; those that come from a secret are `secret`, and optional ones are left out."""
    maps = {name(each): each["data"] for each in of_kind(overlay, "ConfigMap")}
    found: dict[str, str] = {}
    for source in container(workload).get("envFrom", ()):
        found |= maps[source["configMapRef"]["name"]]
    for variable in container(workload)["env"]:
        reference = variable.get("valueFrom", {}).get("secretKeyRef")
        if reference is None:
            found[variable["name"]] = variable["value"]
        elif not reference.get("optional"):
            found[variable["name"]] = secret
    return found
