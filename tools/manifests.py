"""Holds every overlay of deploy/k8s to the schemas of Kubernetes, strictly; runs in an environment of deploy.lock.

Kinds that Kubernetes itself does not know have no schema here: tests/deploy looks at their fields.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import yaml

OVERLAYS = Path(__file__).parents[1] / "deploy/k8s/overlays"

VERSIONS = ("1.30", "1.37")
"""The oldest that knows the preStop sleep without being asked to, and the newest that there is a schema for."""

CUSTOM = {"ExternalSecret", "PodMonitor", "PrometheusRule", "ScaledObject", "TriggerAuthentication"}


def faults(overlay: Path) -> list[str]:
    """What is wrong with it, in sentences."""
    made = subprocess.run(["kubectl", "kustomize", overlay], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return [f"{overlay.name}: {made.stderr.strip()}"]
    found = []
    for each in yaml.safe_load_all(made.stdout):
        for version in VERSIONS if each["kind"] not in CUSTOM else ():
            try:
                kubernetes_validate.validate(each, version, strict=True)
            except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
                what = f"{each['kind']} {each['metadata']['name']}"
                found.append(f"{overlay.name}: {what}, Kubernetes {version}: {error.message}")
    return found


def main() -> int:
    """The exit status."""
    if shutil.which("kubectl") is None:
        print("manifests: skipped, as kubectl is absent")
        return 0
    found = [fault for overlay in sorted(OVERLAYS.iterdir()) for fault in faults(overlay)]
    print(*found, sep="\n", file=sys.stderr)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
