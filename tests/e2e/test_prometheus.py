"""Every metrics page, as Prometheus sees it: promtool's lint, and a real server that scrapes."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mediafleet import Client
from tests.deploy.alerts import RULES, Documented, documented
from tests.e2e.dev_server import DevServerProcess, dev_server
from tests.pictures import scene
from tests.prometheus import prometheus
from tests.promtool import binaries
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServerProcess]:
    """A dev server that has done some work."""
    folder = tmp_path_factory.mktemp("prometheus")
    with dev_server(folder / "data", "--gateways", "2", "--workers", "2") as running:
        picture = folder / "a.jpg"
        scene().save(picture)
        with Client(running.gateway, token=running.token) as client:
            for source in (picture, b"words"):
                upload = client.upload(source, display_name="a.txt" if source == b"words" else "")
                assert [event.upload_id for event in client.watch(upload.upload_id)]
        yield running


def test_every_page_passes_promtools_lint(server: DevServerProcess) -> None:
    promtool = binaries() / "promtool"
    pages = server.endpoints["metrics"]
    assert len(pages) == 5  # two gateways, two workers for pictures, one for the rest
    for url in pages:
        text = urlopen(url).read()
        assert b"mediafleet_build_info" in text
        lint = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
        assert (lint.returncode, lint.stdout + lint.stderr) == (0, b""), url


def shown(url: str) -> set[Documented]:
    """What a page has, without what every Python process tells."""
    families = text_string_to_metric_families(str(urlopen(url).read(), "utf-8"))
    return {
        Documented(
            family.name + ("_total" if family.type == "counter" else ""),
            family.type,
            frozenset(label for sample in family.samples for label in sample.labels) - {"le"},
        )
        for family in families
        if family.samples and not family.name.startswith(("python_", "process_"))
    }


def test_the_page_on_metrics_tells_of_all_that_there_are(server: DevServerProcess) -> None:
    _, *parts = re.split(r"^## ", (ROOT / "docs/metrics.md").read_text(), flags=re.MULTILINE)
    told = {part.partition("\n")[0]: set(documented(part)) for part in parts}
    both = told["Gateways and workers"]
    gateway, worker = both | told["Gateways"], both | told["Workers"]
    pages = server.endpoints["metrics"]
    for url in pages[:2]:
        assert shown(url) == gateway, shown(url) ^ gateway

    def leaders() -> list[set[Documented]]:
        found = [shown(url) for url in pages[2:]]
        return [page for page in found if any(row.name == "mediafleet_queue_messages" for row in page)]

    [leader] = wait_until(leaders, message="a leader's figures")
    assert leader == worker | told["The fleet"], leader ^ (worker | told["The fleet"])
    assert [shown(url) == worker for url in pages[2:]].count(True) == 2
    labels = {label for row in leader | gateway for label in row.labels}
    assert not {"tenant", "upload_id", "batch_id", "collection", "key"} & labels


def test_a_real_prometheus_scrapes_them_all(server: DevServerProcess, tmp_path: Path) -> None:
    targets = [url.removeprefix("http://").removesuffix("/metrics") for url in server.endpoints["metrics"]]
    job = {"job_name": "mediafleet-gateway", "static_configs": [{"targets": targets}]}
    with prometheus(tmp_path, [job], sorted(RULES.glob("*.yaml"))) as asked:

        def query(expression: str) -> list[float]:
            return [series.last for series in asked.at(expression)]

        def rules() -> Counter[str]:
            return Counter(rule["health"] for group in asked.get("rules")["groups"] for rule in group["rules"])

        assert query('sum(grpc_server_handled_total{grpc_method="UploadFile",grpc_code="OK"})') > [0]
        assert query('sum(mediafleet_jobs_finished_total{outcome="succeeded"})') == [2]
        assert query("sum(mediafleet_storage_requests_total)") > [0]
        assert query('sum(mediafleet_jobs_finished_total{outcome="failed"})') == [0]  # there, and zero
        wait_until(lambda: rules().keys() == {"ok"}, 30, "every rule to be evaluated")
        assert query('ALERTS{alertstate="firing"}') == []
