"""The committed dashboards: complete, readable, and asking only for what there is."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.grafana.boards import BOARDS
from deploy.grafana.dashboards import json_of
from deploy.grafana.drawing.boards import committed
from tests.deploy.alerts import rules
from tests.promtool import binaries

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "deploy/grafana").glob("*.json"))
LOADED = {path.stem: json.loads(path.read_text()) for path in FILES}
UIDS = {board["uid"] for board in LOADED.values()}
OWN = re.compile(r"\b(?:mediafleet|grpc_server|process)_[a-z_]+\b|\bnamespace:[\w:]+")
OTHERS = {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds"}


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    for name, board in LOADED.items():
        for panel in panels(board):
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}", target["expr"]


def test_all_are_there_and_as_the_code_says() -> None:
    assert {path.stem: path.read_text() for path in FILES} == {board.name: json_of(board, BOARDS) for board in BOARDS}
    assert len(UIDS) == 8


def test_a_uid_is_one_for_grafana_and_names_the_file() -> None:
    for name, board in LOADED.items():
        assert board["uid"] == f"mediafleet-{name}"
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", board["uid"])  # longer ones, or others, Grafana refuses


@pytest.mark.parametrize("name", LOADED)
def test_a_board_has_what_an_operator_needs(name: str) -> None:
    board = LOADED[name]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    titles = [panel["title"] for panel in panels(board)]
    assert len(set(titles)) == len(titles)
    for panel in panels(board):
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["title"]
        assert re.match(r".{20,}\n\n\*\*What to do:\*\* .+", panel["description"]), panel["title"]
        assert defaults["unit"], panel["title"]
        [lowest, *rising] = [step["value"] for step in defaults["thresholds"]["steps"]]
        assert (lowest, rising) == (None, sorted(rising)), panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["targets"], panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])


@pytest.mark.parametrize("name", LOADED)
def test_panels_fill_the_grid_and_do_not_overlap(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in LOADED[name]["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert len(taken) == 24 * (1 + max(y for _, y in taken))


@pytest.mark.parametrize("name", LOADED)
def test_variables_are_those_of_every_board(name: str) -> None:
    variables = {each["name"]: each for each in LOADED[name]["templating"]["list"]}
    assert list(variables) == ["datasource", "cluster", "namespace", "job", "queue", "docs"]
    assert variables["cluster"]["allValue"] == ".*"
    for each in variables.values():
        if each["type"] == "query":
            assert each["datasource"]["uid"] == "${datasource}"


@pytest.mark.parametrize("name", LOADED)
def test_a_board_uses_only_variables_that_it_has(name: str) -> None:
    of_grafana = {"__all", "__rate_interval", "__url_time_range"}
    used = set(re.findall(r"\$\{?([a-z_]\w*)", json.dumps(LOADED[name])))
    assert used - of_grafana <= {each["name"] for each in LOADED[name]["templating"]["list"]}


def test_expressions_use_defined_variables_and_the_rate_interval() -> None:
    known = {"cluster", "namespace", "job", "queue", "__rate_interval"}
    for where, expr in expressions():
        assert set(re.findall(r"\$(\w+)", expr)) <= known, where
        assert "$cluster" in expr, where
        windows = re.findall(r"\brate\([^\[]+\[([^\]]+)\]", re.sub(r'"[^"]*"', "", expr))
        assert set(windows) <= {"$__rate_interval", "1d"}, where


def test_links_lead_somewhere() -> None:
    for board in LOADED.values():
        for link in board["links"]:
            assert link["type"] == "dashboards"
            assert all(set(link["tags"]) <= set(other["tags"]) for other in LOADED.values())
        for panel in panels(board):
            for link in panel.get("links", []):
                place = link["url"]
                if place.startswith("/d/"):
                    assert place.removeprefix("/d/").partition("?")[0] in UIDS
                else:
                    assert (ROOT / place.replace("${docs}", "docs")).is_file(), place


def test_every_runbook_is_reached_from_a_panel() -> None:
    linked = {
        Path(link["url"]).stem
        for board in LOADED.values()
        for panel in panels(board)
        for link in panel.get("links", [])
        if "/runbooks/" in link["url"]
    }
    assert linked == {path.stem for path in (ROOT / "docs/runbooks").glob("*.md")} - {"README"}


def test_every_metric_is_one_that_is_documented() -> None:
    documented = set(re.findall(r"`((?:mediafleet|grpc_server)_\w+)`", (ROOT / "docs/metrics.md").read_text()))
    recorded = {rule.get("record", "") for rule in rules()}
    documented |= {metric for rule in rules() for metric in OWN.findall(rule["expr"])}  # which have their own test
    for where, expr in expressions():
        for metric in OWN.findall(re.sub(r'"[^"]*"', "", expr)):
            base = re.sub(r"_(bucket|sum|count)$", "", metric)
            assert {metric, base} & (documented | recorded | OTHERS), f"{where}: {metric}"


def test_prometheus_parses_every_expression_of_boards_and_runbooks(tmp_path: Path) -> None:
    asked = [
        board.expression(target.expr, "1m")
        for board in committed()
        for panel in board.panels
        for target in panel.targets
    ]
    for path in (ROOT / "docs/runbooks").glob("*.md"):
        asked += re.findall(r"^```promql\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)
    asking = [{"record": "asked", "expr": expr} for expr in asked]
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": f"g{n}", "rules": [rule]} for n, rule in enumerate(asking)]}))
    checked = subprocess.run(
        [binaries() / "promtool", "check", "rules", "--lint=none", file], capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stderr.decode()
    assert f"{len(asking)} rules found".encode() in checked.stdout
