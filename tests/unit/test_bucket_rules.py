"""Which rules of a bucket let browsers send, and which of them harm what mediafleet keeps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from mediafleet_core.doctor.findings import Status
from mediafleet_core.doctor.rules import judge_cors, judge_lifecycle

ORIGIN = "https://app.example.com"
GOOD = {
    "access-control-allow-origin": ORIGIN,
    "access-control-allow-methods": "GET, PUT",
    "access-control-allow-headers": "Content-Type, X-Amz-Checksum-Crc32c",
}
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("changed", "exposed", "said"),
    [
        ({}, "ETag", "may send parts and read"),
        ({"access-control-allow-origin": "*", "access-control-allow-headers": "*"}, "*", "may send parts and read"),
        ({"access-control-allow-origin": ""}, "ETag", "may not send parts"),
        ({"access-control-allow-methods": "GET"}, "ETag", "may not send parts"),
        ({"access-control-allow-headers": "content-type"}, "ETag", "x-amz-checksum-crc32c is not allowed"),
        ({}, "Date", "cannot read the ETag"),
    ],
)
def test_what_a_browser_may(changed: dict[str, str], exposed: str, said: str) -> None:
    finding = judge_cors(ORIGIN, GOOD | changed, exposed)
    assert said in finding.text
    assert (finding.status is Status.OK) == said.startswith("may send")
    assert bool(finding.remedy) == (finding.status is Status.FAILED)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"Expiration": {"Days": 30}}, "deletes stored files"),
        ({"Prefix": "uploads/acme/", "Expiration": {"Days": 30}}, "deletes stored files"),
        ({"Filter": {"And": {"Prefix": "logs/"}}, "Expiration": {"Days": 30}}, ""),
        ({"Expiration": {"ExpiredObjectDeleteMarker": True}}, ""),
        ({"Status": "Disabled", "Expiration": {"Days": 30}}, ""),
        ({"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}, "after 7 days"),
        ({"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}, "uploads live 24 hours"),
    ],
)
def test_what_ends_too_early(rule: dict[str, Any], said: str) -> None:
    findings = list(judge_lifecycle([{"ID": "r", "Status": "Enabled", **rule}], DAY))
    assert bool(findings) == bool(said)
    assert all(said in finding.text for finding in findings)
    assert {finding.status for finding in findings} <= {Status.OK if "7 days" in said else Status.FAILED}
