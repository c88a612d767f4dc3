"""Every alert can be read, is tested both ways and has a runbook; `make check` asks promtool what it says."""

from __future__ import annotations

import re

from mediafleet_core.errors import Reason
from mediafleet_core.failures import FailureCode
from tests.deploy.alerts import ROOT, RUNBOOKS, alerts, cases, rules, undocumented


def test_every_alert_says_what_to_do() -> None:
    for alert in alerts():
        name, notes = alert["alert"], alert["annotations"]
        assert alert["labels"]["severity"] in ("page", "ticket"), name
        assert set(notes) == {"summary", "description", "runbook_url"}, name
        assert len(notes["description"]) > 60, name
        assert notes["runbook_url"] == f"docs/runbooks/{name}.md"
        assert (ROOT / notes["runbook_url"]).is_file(), name


def test_every_alert_has_a_case_that_fires_and_one_that_stays_silent() -> None:
    found = list(cases())
    silent = {name for name, fired in found if not fired}
    for alert in alerts():
        labels = set(alert["labels"].items())
        fires = [name for name, fired in found for each in fired if labels <= set(each["exp_labels"].items())]
        assert alert["alert"] in fires, (alert["alert"], labels)
        assert alert["alert"] in silent, alert["alert"]


def test_no_runbook_is_left_over_and_none_is_unlisted() -> None:
    names = {alert["alert"] for alert in alerts()}
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == names
    listed = set(re.findall(r"\(runbooks/(\w+)\.md\)", (ROOT / "docs/alerts.md").read_text()))
    assert listed == names


def test_rules_name_only_metrics_that_are_documented_and_records_that_exist() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for rule in rules():
        assert not undocumented(rule["expr"]), rule
        assert set(re.findall(r"\w+:\w+:\w+", rule["expr"])) <= recorded, rule


def test_labels_that_rules_choose_by_exist() -> None:
    expressions = "".join(rule["expr"] for rule in rules())
    codes = re.findall(r'code!~"([^"]+)"', expressions)
    assert codes
    assert {code for each in codes for code in each.split("|")} <= set(FailureCode)
    assert set(re.findall(r'reason="(\w+)"', expressions)) <= set(Reason)
