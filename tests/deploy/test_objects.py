"""The objects of every overlay fit together. `make check` holds each by itself to its schema."""

from __future__ import annotations

import json

import yaml

from tests.deploy.manifests import (
    DEPLOY,
    OVERLAYS,
    WORKLOADS,
    Object,
    container,
    each_overlay,
    labels,
    matches,
    name,
    of_kind,
    pod,
    rendered,
    size,
)


@each_overlay
def test_all_are_in_one_namespace_that_enforces_restricted_pods(overlay: str) -> None:
    [namespace] = of_kind(overlay, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    others = [each for each in rendered(overlay) if each["kind"] != "Namespace"]
    assert {each["metadata"]["namespace"] for each in others} == {name(namespace)}


@each_overlay
def test_every_selector_selects_what_it_is_for(overlay: str) -> None:
    workloads = of_kind(overlay, *WORKLOADS)

    def selected(selector: Object) -> list[str]:
        return [name(each) for each in workloads if matches(selector, labels(each))]

    for each in workloads:
        assert selected(each["spec"]["selector"]) == [name(each)]
        for spread in pod(each).get("topologySpreadConstraints", ()):
            assert selected(spread["labelSelector"]) == [name(each)]
    for service in of_kind(overlay, "Service"):
        [target] = selected({"matchLabels": service["spec"]["selector"]})
        assert target == name(service)
    budgets = [selected(each["spec"]["selector"]) for each in of_kind(overlay, "PodDisruptionBudget")]
    assert sorted(budgets) == sorted([name(each)] for each in of_kind(overlay, "Deployment"))
    for policy in of_kind(overlay, "NetworkPolicy"):
        assert selected(policy["spec"]["podSelector"]), name(policy)
    everyone = [each for each in of_kind(overlay, "NetworkPolicy") if each["spec"]["podSelector"] == {}]
    assert [each["spec"]["policyTypes"] for each in everyone] == [["Ingress", "Egress"]]


@each_overlay
def test_every_port_that_is_named_exists(overlay: str) -> None:
    workloads = of_kind(overlay, *WORKLOADS)

    def ports(of: Object) -> set[str | int]:
        found = container(of)["ports"]
        return {port["name"] for port in found} | {port["containerPort"] for port in found}

    for each in workloads:
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            for kind in ("grpc", "httpGet", "tcpSocket"):
                asked = container(each)[probe].get(kind)
                assert asked is None or asked["port"] in ports(each), (name(each), probe)
    for service in of_kind(overlay, "Service"):
        [target] = [each for each in workloads if name(each) == name(service)]
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports(target)
    for policy in of_kind(overlay, "NetworkPolicy"):
        covered = [each for each in workloads if matches(policy["spec"]["podSelector"], labels(each))]
        for rule in policy["spec"].get("ingress", ()):
            assert all(port["port"] in ports(each) for port in rule["ports"] for each in covered), name(policy)


@each_overlay
def test_every_pod_is_locked_in(overlay: str) -> None:
    for each in of_kind(overlay, *WORKLOADS):
        spec, only = pod(each), container(each)
        assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
        assert (spec["securityContext"]["runAsNonRoot"], spec["securityContext"]["runAsUser"] > 0) == (True, True)
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert only["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        limits, requests = only["resources"]["limits"], only["resources"]["requests"]
        assert {resource: requests[resource] for resource in limits} == limits
        assert limits.keys() == {"memory", "ephemeral-storage"}
        mounted = {volume["name"] for volume in spec.get("volumes", ())} | {"data"}
        assert {mount["name"] for mount in only.get("volumeMounts", ())} <= mounted
        for volume in spec.get("volumes", ()):
            if "emptyDir" in volume:
                assert size(volume["emptyDir"]["sizeLimit"]) < size(limits["ephemeral-storage"]), name(each)
    accounts = {name(each): each for each in of_kind(overlay, "ServiceAccount")}
    assert {pod(each)["serviceAccountName"] for each in of_kind(overlay, *WORKLOADS)} == accounts.keys()
    assert not any(each["automountServiceAccountToken"] for each in accounts.values())


@each_overlay
def test_images_have_a_tag_and_no_registry(overlay: str) -> None:
    for each in of_kind(overlay, *WORKLOADS):
        image, _, tag = container(each)["image"].partition(":")
        assert "/" not in image
        assert tag not in {"", "latest"}


def test_every_component_is_part_of_an_overlay() -> None:
    used = {
        component.rpartition("/")[2]
        for overlay in OVERLAYS
        for component in yaml.safe_load((DEPLOY / "k8s/overlays" / overlay / "kustomization.yaml").read_text())[
            "components"
        ]
    }
    assert used == {path.name for path in (DEPLOY / "k8s/components").iterdir()}


def test_prometheus_is_told_what_to_scrape_and_every_rule() -> None:
    [monitor] = of_kind("prod", "PodMonitor")
    assert monitor["spec"]["jobLabel"] == "app.kubernetes.io/name"
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    for each in of_kind("prod", "Deployment"):
        assert matches(monitor["spec"]["selector"], labels(each))
        assert labels(each)[monitor["spec"]["jobLabel"]] == name(each)
        assert endpoint["port"] in {port["name"] for port in container(each)["ports"]}
    rules = [each for each in rendered("prod") if each["kind"] == "PrometheusRule"]
    groups = [group for each in rules for group in each["spec"]["groups"]]
    files = sorted((DEPLOY / "prometheus/rules").glob("*.yaml"))
    assert groups == [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]


def test_grafana_gets_every_board() -> None:
    found: dict[str, str] = {}
    for each in of_kind("prod", "ConfigMap"):
        if each["metadata"].get("labels", {}).get("grafana_dashboard") == "1":
            found |= each["data"]
    files = list((DEPLOY / "grafana").glob("*.json"))
    assert {file: json.loads(text) for file, text in found.items()} == {
        file.name: json.loads(file.read_text()) for file in files
    }
