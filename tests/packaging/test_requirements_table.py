"""docs/requirements.md is complete and its proofs exist."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs/requirements.md").read_text()
ROWS = re.findall(r"^\| ([A-E]\d+) \| .+? \| (done|partly|open)[^|]*\| (?:`(.+?)`)? ?\|$", TABLE, re.MULTILINE)
LAST = {"A": 19, "B": 29, "C": 25, "D": 14, "E": 18}


def test_every_requirement_has_one_row() -> None:
    expected = [f"{system}{number}" for system, last in LAST.items() for number in range(1, last + 1)]
    assert [row[0] for row in ROWS] == expected


def test_whatever_is_done_has_a_proof_that_exists() -> None:
    for requirement, state, proof in ROWS:
        assert (state == "open") != bool(proof), requirement
        assert not proof or (ROOT / proof).exists(), f"{requirement}: {proof}"


def test_the_summary_counts_right() -> None:
    count = Counter(state for _, state, _ in ROWS)
    assert f"{len(ROWS)} rows: {count['done']} done, {count['partly']} partly, {count['open']} open." in TABLE
