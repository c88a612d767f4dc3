"""The command line prints what fits the terminal, is whole where people copy it and complete where programs read it."""

from __future__ import annotations

import json
import re

import pytest

from mediafleet import FieldViolation, InvalidArgument
from mediafleet.cli.failures import explained
from mediafleet.cli.output import result, uploads
from mediafleet.cli.text import counted
from mediafleet.v1.uploads_pb2 import Upload, UploadState

ID = "0199d1c2-8a4e-7c3a-9d2b-3f6a1c5e7b90"
MESSAGE = "The content is not what its declared type or file name says, and this is a long sentence about that."


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    failed = Upload(upload_id=ID, display_name="IMG_20260101_123456_holiday.jpg", size_bytes=12)
    failed.state, failed.progress.percent = UploadState.UPLOAD_STATE_FAILED, 100
    failed.failure.code, failed.failure.message = "CONTENT_TYPE_MISMATCH", MESSAGE
    uploads([failed, Upload(upload_id=ID, display_name="b.jpg")], as_json=False)
    return [re.sub(r"\x1b\[[\d;]*m", "", line).rstrip() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("columns", [60, 70, 80, 120])
def test_results_stand_below_where_the_terminal_is_narrow(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = printed(capsys)
    assert max(map(len, lines)) <= columns
    assert sum(line.startswith(ID) for line in lines) == 2
    below = " ".join(line.strip() for line in lines if line.startswith("    ") and not line.startswith(" " * 8))
    assert f"CONTENT_TYPE_MISMATCH: {MESSAGE}" in below


def test_programs_read_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    _, first, second = printed(capsys)
    assert first.endswith(f"CONTENT_TYPE_MISMATCH: {MESSAGE}")
    assert second.split() == [ID, "b.jpg", "0", "B", "UNSPECIFIED", "0", "%"]


def test_programs_find_every_field_that_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    uploads([Upload(upload_id=ID)], as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["attempt"], found["caption"], found["labels"], found["renditions"]) == (0, "", {}, [])
    assert found["state"] == "UPLOAD_STATE_UNSPECIFIED"
    assert "finish_time" not in found


def test_files_of_one_name_are_told_apart_by_their_paths(capsys: pytest.CaptureFixture[str]) -> None:
    uploads([Upload(display_name="a.jpg", path=f"{folder}/a.jpg") for folder in ("may", "june")], as_json=False)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["upload", "may/a.jpg", "june/a.jpg"]


def test_one_is_no_plural() -> None:
    assert [counted(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


def test_an_upload_that_waits_tells_which_attempt_failed() -> None:
    waiting = Upload(attempt=2, max_attempts=3)
    waiting.next_attempt_time.FromJsonString("2026-07-01T12:00:00Z")
    assert result(waiting) == "its worker was lost, next at 12:00:00 UTC"
    waiting.failure.code = "TIMED_OUT"
    assert result(waiting) == "attempt 1 of 3 failed, next at 12:00:00 UTC; TIMED_OUT"


@pytest.mark.parametrize("field", ["batch_id", "filter.batch_id"])
def test_a_wrong_id_is_told_with_the_command_that_lists_ids(field: str) -> None:
    error = InvalidArgument("it is none", reason="FIELD_INVALID", violations=(FieldViolation(field, "is none"),))
    assert explained(error) == "FIELD_INVALID: it is none; `mediafleet batch list` shows the ids there are"
