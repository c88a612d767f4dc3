"""The Dockerfiles fit the manifests and the distributions."""

from __future__ import annotations

import re

import pytest

from tests.deploy.manifests import DEPLOY, container, of_kind, pod

IMAGES = sorted(path.stem for path in (DEPLOY / "images").glob("*.Dockerfile"))


def test_there_is_one_for_every_image_that_is_ours() -> None:
    used = {container(each)["image"].partition(":")[0] for each in of_kind("prod", "Deployment")}
    assert used == {f"mediafleet-{image}" for image in IMAGES}


@pytest.mark.parametrize("image", IMAGES)
def test_it_runs_as_the_manifests_say(image: str) -> None:
    text = (DEPLOY / f"images/{image}.Dockerfile").read_text()
    stages = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert stages == ["${BASE}"] * 2
    [base] = re.findall(r"^ARG BASE=(\S+)", text, re.MULTILINE)
    assert "/" not in base
    assert ":latest" not in base
    [user] = re.findall(r"^USER (\d+):(\d+)", text, re.MULTILINE)
    [exposed] = re.findall(r"^EXPOSE (.+)", text, re.MULTILINE)
    assert f'ENTRYPOINT ["/app/bin/python", "-m", "mediafleet_{image}"]' in text
    for each in of_kind("prod", "Deployment"):
        if container(each)["image"].startswith(f"mediafleet-{image}:"):
            context = pod(each)["securityContext"]
            assert (str(context["runAsUser"]), str(context["runAsGroup"])) == user
            assert exposed.split() == [str(port["containerPort"]) for port in container(each)["ports"]]
            assert "command" not in container(each)


@pytest.mark.parametrize("image", IMAGES)
def test_it_has_the_command_line_at_hand(image: str) -> None:
    text = (DEPLOY / f"images/{image}.Dockerfile").read_text()
    assert "ENV PATH=/app/bin:$PATH" in text
    assert re.search(r"pip wheel .*\n.*\./sdk ", text)
    assert re.search(r"^click==", (DEPLOY / f"images/{image}.lock").read_text(), re.MULTILINE)
