"""Every process of a busy fleet gets SIGTERM in turn, and ends well within what its pod would be given."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benchmarks.drain import GRACE, measure
from benchmarks.rolling_crowd import Load
from tests.deploy.manifests import container, hook, name, of_kind, pod


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_rolling_update_under_load_fails_no_upload_loses_no_event_and_doubles_no_job(tmp_path: Path) -> None:
    went = asyncio.run(measure(tmp_path, Load(uploads=10, jobs=4, watchers_per_job=5)))
    assert went.faults == []
    assert [each.role for each in went.processes] == ["gateway", "gateway", "worker", "worker"]
    for each in went.processes:
        assert each.uploads == 10
        assert each.jobs
        assert each.seconds < spared(each.role)


def spared(role: str) -> float:
    """Seconds that a process has from SIGTERM until it is killed, less the grace beyond ours that its jobs have."""
    found = []
    for each in of_kind("prod", "Deployment"):
        variables = {variable["name"]: variable.get("value") for variable in container(each)["env"]}
        if role == "gateway" and name(each) == "mediafleet-gateway":
            found.append(pod(each)["terminationGracePeriodSeconds"] - hook(each))
        if role == "worker" and name(each) == "mediafleet-worker-image":
            assert variables["MEDIAFLEET_WORKER_GRACE"] == "60s"
            found.append(pod(each)["terminationGracePeriodSeconds"] - 60 + GRACE)
    [seconds] = found
    return float(seconds)
