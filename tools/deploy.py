"""Writes what deploy/k8s takes over from its neighbours: python -m tools.deploy [--check].

Kustomize reads no file outside its own folders and makes no rule file into a PrometheusRule, so

    deploy/prometheus/rules/*.yaml  becomes  deploy/k8s/components/prometheus-operator/rules.yaml
    deploy/grafana/*.json           is named in  deploy/grafana/kustomization.yaml
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from tools.made import write_or_check

DEPLOY = Path(__file__).parents[1] / "deploy"

_MADE = "# Made by tools/deploy.py from {source}.\n"

_RULE = """\
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: mediafleet-{name}
spec:
"""

_BOARDS = """\
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
generatorOptions:
  disableNameSuffixHash: true
  labels:
    grafana_dashboard: "1"
configMapGenerator:
"""

_BOARD = """\
  - name: mediafleet-board-{name}
    files: [{name}.json]
"""


def rules(folder: Path) -> str:
    """One PrometheusRule for each rule file; its groups are the file, indented."""
    objects = (
        _RULE.format(name=path.stem) + textwrap.indent(path.read_text(), "  ") for path in sorted(folder.glob("*.yaml"))
    )
    return _MADE.format(source="deploy/prometheus/rules") + "".join(objects)


def boards(folder: Path) -> str:
    """A component with one ConfigMap for each board."""
    names = sorted(path.stem for path in folder.glob("*.json"))
    return _MADE.format(source="the boards beside it") + _BOARDS + "".join(_BOARD.format(name=name) for name in names)


def made() -> Mapping[Path, str]:
    """Every file and what it must hold."""
    return {
        DEPLOY / "k8s/components/prometheus-operator/rules.yaml": rules(DEPLOY / "prometheus/rules"),
        DEPLOY / "grafana/kustomization.yaml": boards(DEPLOY / "grafana"),
    }


def main(arguments: list[str]) -> int:
    """The exit status."""
    return write_or_check(made(), "run make deploy-files", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
