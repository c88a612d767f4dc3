"""`mediafleet batch` through a real gateway and a real worker."""

from __future__ import annotations

import asyncio
import csv
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediafleet import AsyncClient, Batch, BatchState, UploadState
from tests import command_line
from tests.gateways import ANN, Reached
from tests.waiting import eventually
from tests.workers import settings, working

TOKEN = ANN[0][1].removeprefix("Bearer ")


class Line:
    """The command line towards one gateway."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    async def __call__(self, *arguments: str) -> tuple[int, str, str]:
        done = await command_line.mediafleet("batch", *arguments, endpoint=self._endpoint, token=TOKEN)
        return done.returncode, done.stdout, done.stderr

    async def start(self, *arguments: str, stdout: int) -> asyncio.subprocess.Process:
        """The command, running, with `stdout` in place of its own."""
        return await command_line.start("batch", *arguments, endpoint=self._endpoint, token=TOKEN, stdout=stdout)

    async def begun(self, *arguments: str, client: AsyncClient, members: int) -> asyncio.subprocess.Process:
        """The command, running, when some batch has so many members."""
        process = await command_line.start("batch", *arguments, endpoint=self._endpoint, token=TOKEN)

        async def joined() -> bool:
            return any([batch.progress.counts.total >= members async for batch in client.batches.list()])

        await eventually(joined, 60, "members of the batch")
        return process


@pytest.fixture
def batch(reached: Reached) -> Line:
    return Line(str(reached.gateway.address))


@pytest.fixture
async def client(reached: Reached) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(str(reached.gateway.address), token=TOKEN, timeout=20) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty files that are fine and four poisoned ones."""
    folder = tmp_path / "holiday"
    (folder / "deeper").mkdir(parents=True)
    for number in range(40):
        (folder / f"{number:02}.bin").write_bytes(b"fine %d" % number)
    for number in range(4):
        (folder / "deeper" / f"bad-{number}.bin").write_bytes(b"POISON:fail\n%d" % number)
    return folder


def paths_below(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*.bin")}


async def only(client: AsyncClient) -> Batch:
    (found,) = [each async for each in client.batches.list()]
    return found


async def test_a_dry_run_only_counts(batch: Line, client: AsyncClient, folder: Path) -> None:
    code, out, err = await batch("create", str(folder), "--dry-run", "--exclude", "deeper/*")
    assert (code, out, err) == (0, "40 files, 270 B\n", "")
    code, out, _ = await batch("create", str(folder), "--dry-run", "--json", "--type", "image")
    assert (code, json.loads(out)) == (0, {"files": 0, "bytes": 0})
    assert (await batch("create", str(folder), "--dry-run", "--include", "07.bin"))[1] == "1 file, 6 B\n"
    assert [each async for each in client.batches.list()] == []
    nowhere = await command_line.mediafleet("batch", "create", str(folder), "--dry-run", cwd=folder)
    assert (nowhere.returncode, nowhere.stdout) == (0, "44 files, 322 B\n")
    nowhere = await command_line.mediafleet("batch", "create", str(folder), cwd=folder)
    assert (nowhere.returncode, "pass --endpoint" in nowhere.stderr) == (2, True)
    code, _, err = await batch("create", str(folder), "--dry-run", "--type", "image/nonsense")
    assert (code, "no name of a file tells of the media type 'image/nonsense'" in err) == (2, True)


async def test_a_folder_is_sent_again_after_a_kill_and_retried_when_the_poison_is_gone(
    batch: Line, client: AsyncClient, folder: Path, redis_url: str, tmp_path: Path
) -> None:
    report = tmp_path / "report.csv"
    async with working(settings(redis_url, tmp_path)):
        first_try = await batch.begun("create", str(folder), client=client, members=16)
        first_try.kill()
        await first_try.communicate()
        code, out, err = await batch("create", str(folder))
    assert (code, err.count("44 files")) == (1, 1)
    assert "40 succeeded, 4 failed" in out
    (group,) = (line.split() for line in out.splitlines() if "CORRUPT_MEDIA" in line)
    assert (group[:2], group[5]) == (["CORRUPT_MEDIA", "4"], "...")
    assert {name.rstrip(",") for name in group[2:5]} < {f"deeper/bad-{number}.bin" for number in range(4)}
    first = await only(client)
    assert (first.progress.counts.total, first.expected_items) == (44, 44)
    before = {row.upload_id: row async for row in client.batches.report(first.batch_id)}

    async with working(settings(redis_url, tmp_path, worker_plugins="")):
        code, out, _ = await batch("retry", first.batch_id, "--json")
        assert (code, json.loads(out)["retried_items"]) == (0, "4")
        code, out, _ = await batch("watch", first.batch_id)
    assert (code, "44 succeeded" in out) == (0, True)
    async for row in client.batches.report(first.batch_id):
        good = before[row.upload_id].state == UploadState.UPLOAD_STATE_SUCCEEDED
        assert (row == before[row.upload_id]) is good

    assert (await batch("report", first.batch_id, "--csv", "-o", str(report)))[0] == 0
    with report.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["upload_id"] for row in rows] == list(before)
    assert {row["state"] for row in rows} == {"SUCCEEDED"}
    assert {row["path"] for row in rows} == paths_below(folder)
    code, out, _ = await batch("report", first.batch_id)
    assert [json.loads(line)["upload_id"] for line in out.splitlines()] == list(before)


async def test_a_sealed_batch_is_followed_and_what_is_not_in_it_is_named(
    batch: Line, client: AsyncClient, folder: Path, redis_url: str, tmp_path: Path
) -> None:
    code, _, _ = await batch("create", str(folder), "--no-wait", "--exclude", "bad*")
    sent = await only(client)
    assert (code, sent.state, sent.progress.counts.total) == (0, BatchState.BATCH_STATE_SEALED, 40)
    (folder / "late.bin").write_bytes(b"late")
    async with working(settings(redis_url, tmp_path)):
        code, out, err = await batch("create", str(folder), "--exclude", "bad*")
        assert code == 1
        assert f"batch {sent.batch_id} of this folder is sealed already" in err
        assert "another --name makes a new one\nlate.bin is not in it\n" in err
        assert "40 succeeded" in out
        code, out, _ = await batch("create", str(folder), "--exclude", "bad*", "--name", "second", "--json")
    assert (code, json.loads(out)["progress"]["counts"]["succeeded"]) == (0, "41")


async def test_nothing_more_is_sent_when_somebody_else_cancels(batch: Line, client: AsyncClient, folder: Path) -> None:
    for number in range(400):
        (folder / f"more-{number}.bin").write_bytes(b"%d" % number)
    command = await batch.begun("create", str(folder), client=client, members=1)
    await client.batches.cancel((await only(client)).batch_id)
    out, err = await command.communicate()
    assert (command.returncode, b"CANCELLED" in out) == (1, True)
    assert err.count(b"is not in it") <= 1  # told of the first one that is refused


async def test_files_that_are_refused_are_told_apart(batch: Line, folder: Path, redis_url: str, tmp_path: Path) -> None:
    (folder / "new\nline.bin").write_bytes(b"refused for its name")
    async with working(settings(redis_url, tmp_path)):
        code, out, _ = await batch("create", str(folder), "--json", "--exclude", "bad*")
    refused, done = map(json.loads, out.splitlines())
    assert (code, refused["error"]["reason"]) == (1, "FIELD_INVALID")
    assert (done["state"], done["progress"]["counts"]["total"]) == ("BATCH_STATE_SUCCEEDED", "40")


async def test_commands_on_a_batch(batch: Line, client: AsyncClient) -> None:
    made = await client.batches.create("=cmd()", labels={"a": "b"})
    await client.upload(b"waits", display_name="=1+1.bin", batch_id=made.batch_id)
    code, out, _ = await batch("list", "--label", "a=b", "--state", "open", "--json")
    assert (code, json.loads(out)["batch_id"]) == (0, made.batch_id)
    assert (await batch("list", "--text", "nothing"))[1:] == ("", "no batches\n")
    assert "1 queued" in (await batch("show", made.batch_id))[1]
    assert json.loads((await batch("seal", made.batch_id, "--json"))[1])["state"] == "BATCH_STATE_SEALED"
    assert "CANCELLED" in (await batch("cancel", made.batch_id, "--reason", "enough"))[1]
    code, out, _ = await batch("watch", made.batch_id, "--json")
    assert (code, json.loads(out)["snapshot"]["state"]) == (1, "BATCH_STATE_CANCELLED")
    assert json.loads(out)["snapshot"]["progress"]["counts"]["failed"] == "0"
    assert json.loads((await batch("report", made.batch_id))[1])["deleted"] is False
    _, out, _ = await batch("report", made.batch_id, "--csv")
    assert next(csv.DictReader(out.splitlines()))["display_name"] == "'=1+1.bin"
    code, _, err = await batch("report", made.batch_id, "--csv", "--jsonl")
    assert (code, "exclude each other" in err) == (2, True)
    code, _, err = await batch("cancel", "mine")
    assert (code, "`mediafleet batch list`" in err) == (1, True)


async def test_a_report_whose_reader_has_enough_ends_silently(batch: Line, client: AsyncClient) -> None:
    made = await client.batches.create("few")
    await client.upload(b"waits", display_name="1.bin", batch_id=made.batch_id)
    unread, stdout = os.pipe()
    os.close(unread)
    process = await batch.start("report", made.batch_id, stdout=stdout)
    os.close(stdout)
    _, stderr = await process.communicate()
    assert (process.returncode, stderr) == (1, b"")


async def test_a_report_takes_the_place_of_a_file_and_of_nothing_else(
    batch: Line, client: AsyncClient, tmp_path: Path
) -> None:
    made = await client.batches.create("few")
    for number in range(3):
        await client.upload(b"waits", display_name=f"{number}.bin", batch_id=made.batch_id)
    file, link, pipe = tmp_path / "report", tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(file)
    os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDWR)  # so that nobody waits for somebody at the other end
    done = await asyncio.gather(*(batch("report", made.batch_id, "-o", str(each)) for each in (file, link, file, pipe)))
    assert [code for code, _, _ in done] == [0] * 4
    assert (link.is_symlink(), pipe.is_fifo()) == (True, True)
    assert os.read(held, 1 << 16) == file.read_bytes()
    os.close(held)
    assert file.read_bytes().count(b"\n") == 3
    names = await asyncio.to_thread(lambda: [each.name for each in tmp_path.iterdir()])
    assert not [name for name in names if name.endswith(".part")]
    absent = tmp_path / "absent" / "report"
    code, _, err = await batch("report", made.batch_id, "-o", str(absent))
    assert (code, err) == (1, f"mediafleet: {absent}: No such file or directory\n")
