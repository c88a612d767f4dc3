"""CSV of uploads: stable columns, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediafleet.cli.spreadsheet import FORMULA, UPLOAD_COLUMNS, text_cell, upload_row, write
from mediafleet.v1.uploads_pb2 import Failure, MediaKind, Upload, UploadState


def test_columns_do_not_move(capsys: pytest.CaptureFixture[str]) -> None:
    upload = Upload(
        upload_id="01a1fb23-d97a-7377-a304-1636ac2264ff",
        display_name='=HYPERLINK("http://evil","x"), "quoted"\nand broken.jpg',
        kind=MediaKind.MEDIA_KIND_IMAGE,
        state=UploadState.UPLOAD_STATE_FAILED,
        size_bytes=0,
        failure=Failure(code="CORRUPT_MEDIA", message="the file is damaged"),
    )
    upload.create_time.FromJsonString("2026-11-21T09:06:33.120Z")
    write(UPLOAD_COLUMNS, [upload_row(upload)])
    printed = capsys.readouterr().out
    assert printed.startswith(
        "upload_id,display_name,state,kind,content_type,size_bytes,collection,batch_id,sha256,attempt,failure_code,"
        "failure_message,create_time,start_time,finish_time,path\n"
    )
    (row,) = csv.DictReader(io.StringIO(printed))
    assert row["display_name"] == f"'{upload.display_name}"
    assert (row["state"], row["kind"], row["size_bytes"], row["failure_code"]) == (
        "FAILED",
        "IMAGE",
        "0",
        "CORRUPT_MEDIA",
    )
    assert (row["create_time"], row["finish_time"]) == ("2026-11-21T09:06:33.120Z", "")


@given(st.text())
def test_no_cell_begins_a_formula_and_none_is_lost(text: str) -> None:
    cell = text_cell(text)
    assert not cell.startswith(FORMULA)
    assert cell.removeprefix("'") == text or cell == text
