"""`mediafleet batch import` through a real gateway and a real worker, from a folder of plain files."""

from __future__ import annotations

import csv
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediafleet import AsyncClient, BatchState
from tests.gateways import Reached
from tests.integration.test_batch_cli import TOKEN, Line, only, paths_below
from tests.workers import settings, working


@pytest.fixture
def batch(reached: Reached) -> Line:
    return Line(str(reached.gateway.address))


@pytest.fixture
async def client(reached: Reached) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(str(reached.gateway.address), token=TOKEN, timeout=20) as client:
        yield client


@pytest.fixture
def shelf(tmp_path: Path, reached: Reached) -> Path:
    """Twenty files that are fine and four poisoned ones, of one name in different folders."""
    shelf = tmp_path / "objects" / "imports" / "ann" / "2026"
    for number in range(20):
        file = shelf / f"{number % 4}" / f"{number:02}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"fine %d" % number)
    for number in range(4):
        (shelf / f"{number}" / "bad.bin").write_bytes(b"POISON:fail\n%d" % number)
    (shelf / ".hidden").write_bytes(b"hidden")
    return shelf


async def test_a_dry_run_only_counts(batch: Line, client: AsyncClient, shelf: Path) -> None:
    code, out, _ = await batch("import", "2026/0/", "--dry-run", "--json", "--include", "0*.bin")
    assert (code, json.loads(out)) == (0, {"files": 3, "bytes": 18})
    code, out, err = await batch("import", "2025/")
    assert (code, out) == (1, "")
    assert err.startswith("0 files, 0 B\nmediafleet: there is nothing to import: ")
    assert "begins with 2025/" in err
    assert [each async for each in client.batches.list()] == []


async def test_a_prefix_is_imported_again_after_a_kill(
    batch: Line, client: AsyncClient, shelf: Path, redis_url: str, tmp_path: Path
) -> None:
    async with working(settings(redis_url, tmp_path)):
        first_try = await batch.begun("import", "2026/", client=client, members=8)
        first_try.kill()
        await first_try.communicate()
        code, out, err = await batch("import", "2026/")
    assert (code, err.count("24 files")) == (1, 1)
    assert "20 succeeded, 4 failed" in out
    (group,) = (line.split() for line in out.splitlines() if "CORRUPT_MEDIA" in line)
    assert (group[:2], group[5]) == (["CORRUPT_MEDIA", "4"], "...")
    assert {name.rstrip(",") for name in group[2:5]} < {f"2026/{number}/bad.bin" for number in range(4)}
    made = await only(client)
    assert (made.display_name, made.progress.counts.total, made.expected_items) == ("2026", 24, 24)
    assert [upload async for upload in client.list() if upload.batch_id != made.batch_id] == []
    _, out, _ = await batch("report", made.batch_id, "--csv")
    paths = {row["path"] for row in csv.DictReader(out.splitlines())}
    assert paths == paths_below(shelf.parent)
    assert len(paths) == 24


async def test_what_is_refused_is_told_and_the_rest_goes_on(
    batch: Line, client: AsyncClient, shelf: Path, redis_url: str, tmp_path: Path
) -> None:
    (shelf / "0" / "new\nline.bin").write_bytes(b"refused for its name")
    async with working(settings(redis_url, tmp_path)):
        code, out, _ = await batch("import", "2026/0", "--json", "--exclude", "bad*")
        refused, done = map(json.loads, out.splitlines())
        assert (code, refused["error"]["reason"]) == (1, "FIELD_INVALID")
        assert (done["state"], done["progress"]["counts"]["total"]) == ("BATCH_STATE_SUCCEEDED", "5")
        sealed = await only(client)
        assert sealed.state == BatchState.BATCH_STATE_SUCCEEDED
        (shelf / "0" / "new\nline.bin").unlink()
        (shelf / "0" / "late.bin").write_bytes(b"late")
        code, out, err = await batch("import", "2026/0", "--exclude", "bad*")
    assert (code, "5 succeeded" in out) == (1, True)
    assert "of this prefix is sealed already" in err
    assert "2026/0/late.bin is not in it" in err
