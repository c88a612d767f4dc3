"""Debian's Prometheus, unpacked beside the environment, scraping the processes of a dev server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.grafana.drawing.prometheus import Prometheus
from mediafleet_devserver.redis_server import free_port
from tests.guarding import guarded
from tests.promtool import binaries
from tests.waiting import wait_until


def scrapes(endpoints: Mapping[str, Any], job_of: Mapping[str, str]) -> list[dict[str, Any]]:
    """Scrape configurations for a dev server's processes, labelled as in Kubernetes.

    `job_of` gives the job by the beginning of a process's name.
    """
    named = [name for part in ("gateway-", "worker-") for name in endpoints["pids"] if name.startswith(part)]
    jobs: dict[str, list[dict[str, Any]]] = {}
    for name, url in zip(named, endpoints["metrics"], strict=True):
        (job,) = (job for beginning, job in job_of.items() if name.startswith(beginning))
        target = url.removeprefix("http://").removesuffix("/metrics")
        labels = {"cluster": "dev", "namespace": "mediafleet", "pod": name}
        jobs.setdefault(job, []).append({"targets": [target], "labels": labels})
    return [{"job_name": job, "static_configs": targets} for job, targets in jobs.items()]


@contextmanager
def prometheus(
    folder: Path, scrape_configs: Sequence[Mapping[str, Any]], rule_files: Sequence[Path] = ()
) -> Iterator[Prometheus]:
    """A server that scrapes once a second, once every target is up."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "scrape_configs": scrape_configs,
        "rule_files": list(map(str, rule_files)),
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    address = f"127.0.0.1:{free_port()}"
    command = [
        str(binaries() / "prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    ]
    targets = sum(len(static["targets"]) for job in scrape_configs for static in job["static_configs"])
    with (folder / "log").open("wb") as log:
        process = guarded(subprocess.Popen(command, stdout=log, stderr=log))
    client = Prometheus(f"http://{address}")

    def up() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            return [found.last for found in client.at("sum(up)")] == [targets]
        except OSError:
            return False

    try:
        wait_until(up, 120, "every target to be up")
        yield client
    finally:
        process.terminate()
        process.wait(30)
