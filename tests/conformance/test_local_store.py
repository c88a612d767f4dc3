"""What only the folder store has: its keys are paths, its URLs are its own, its file server is a process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import aiohttp
import google_crc32c
import pytest
from pydantic import SecretStr

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.ports import ObjectStore
from mediafleet_core.storage import Backend, StorageSettings, open_local, open_store
from mediafleet_core.storage.plain_files import PlainFiles
from mediafleet_devserver.redis_server import free_port
from tests.conformance.conftest import local_store
from tests.waiting import wait_until

CONTENT = b"content"
CRC32C = int(google_crc32c.value(CONTENT))
KEY = "a key that only tests know"


def files_below(folder: Path) -> list[str]:
    return [found.relative_to(folder).as_posix() for found in folder.rglob("*") if found.is_file()]


@pytest.fixture
async def folder_store(tmp_path: Path) -> AsyncIterator[ObjectStore]:
    async with local_store(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize(
    "key",
    ["../outside", "uploads/../../outside", "/etc/passwd", "a//b", "a/./b", "..", "a/", "", "a\0b", "a\\b", "a\nb"],
)
async def test_no_key_leaves_the_folder(folder_store: ObjectStore, tmp_path: Path, key: str) -> None:
    for attempt in (
        folder_store.put(key, [CONTENT], crc32c=CRC32C),
        folder_store.begin_multipart(key),
        folder_store.head(key),
        folder_store.delete([key]),
        folder_store.sign_url(key, timedelta(minutes=1), file_name="a"),
    ):
        with pytest.raises(MediafleetError) as raised:
            await attempt
        assert raised.value.reason is Reason.FIELD_INVALID
    assert files_below(tmp_path) == []


async def test_no_multipart_id_leaves_the_folder(folder_store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    with pytest.raises(MediafleetError):
        await folder_store.abort_multipart("o/1", "../precious")
    assert (tmp_path / "precious").is_dir()


async def test_nothing_but_objects_is_left_on_disk(folder_store: ObjectStore, tmp_path: Path) -> None:
    await folder_store.put("t/o/1", [CONTENT], crc32c=CRC32C)
    with pytest.raises(MediafleetError):
        await folder_store.put("t/o/2", [CONTENT], crc32c=1)
    assert files_below(tmp_path) == ["objects/t/o/1"]
    await folder_store.delete(["t/o/1"])
    assert files_below(tmp_path) == []
    assert not (tmp_path / "objects/t").exists()


async def test_writers_and_deletes_below_one_prefix_do_not_trouble_each_other(tmp_path: Path) -> None:
    async def come_and_go(store: ObjectStore, name: str) -> None:
        for number in range(20):
            key = f"uploads/ann/id/o/{name}-{number}"
            await store.put(key, [CONTENT], crc32c=CRC32C)
            await store.delete([key])

    async with local_store(tmp_path) as one, local_store(tmp_path) as other:
        await asyncio.gather(*(come_and_go(store, f"{number}") for number, store in enumerate([one, other] * 8)))
    assert files_below(tmp_path) == []


async def test_a_folder_that_another_makes_and_a_delete_takes_away_is_made_again(
    folder_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, late = os.mkdir, [tmp_path / "objects/t"]

    def one_is_there_and_gone(path: Path, *arguments: int) -> None:
        if path in late:
            late.remove(path)
            raise FileExistsError(path)
        make(path, *arguments)

    monkeypatch.setattr(os, "mkdir", one_is_there_and_gone)
    await folder_store.put("t/o/1", [CONTENT], crc32c=CRC32C)
    assert (late, files_below(tmp_path)) == ([], ["objects/t/o/1"])


async def test_an_abort_behind_a_part_is_told_as_such(
    folder_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    multipart_id = await folder_store.begin_multipart("t/o/1")

    def aborted(path: Path, pattern: str) -> Iterator[Path]:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "glob", aborted)
    with pytest.raises(MediafleetError) as raised:
        await folder_store.put_part("t/o/1", multipart_id, 1, [CONTENT], crc32c=CRC32C)
    assert raised.value.reason is Reason.ORIGINAL_MISSING


async def test_parts_are_listed_again_where_one_goes_meanwhile(
    folder_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    multipart_id = await folder_store.begin_multipart("t/o/1")
    for number in (1, 2):
        await folder_store.put_part("t/o/1", multipart_id, number, [CONTENT], crc32c=CRC32C)
    look, gone = Path.stat, ["00002-"]

    def one_goes(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if gone and path.name.startswith(gone[0]):
            gone.clear()
            raise FileNotFoundError(path)
        return look(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", one_goes)
    assert [part.number async for part in folder_store.list_parts("t/o/1", multipart_id)] == [1, 2]
    assert gone == []


async def test_a_damaged_file_is_reported(folder_store: ObjectStore, tmp_path: Path) -> None:
    await folder_store.put("t/o/1", [CONTENT], crc32c=CRC32C)
    path = tmp_path / "objects/t/o/1"
    for damaged in (path.read_bytes()[:-5], b"", b"\xff" * 100):
        path.write_bytes(damaged)
        with pytest.raises(MediafleetError) as raised:
            await folder_store.head("t/o/1")
        assert raised.value.reason is Reason.STORED_OBJECT_CORRUPT


async def test_what_a_crash_left_is_removed_after_a_day(tmp_path: Path) -> None:
    settings = StorageSettings(
        storage=Backend.LOCAL,
        storage_dir=tmp_path,
        storage_signing_key=SecretStr(KEY),
        storage_url="http://127.0.0.1:1",
    )
    await open_local(settings).close()
    old, young = tmp_path / "tmp/old", tmp_path / "tmp/young"
    (tmp_path / "tmp/gone").symlink_to("nowhere")  # as if another process had just moved it into its place
    for left in (old, young):
        left.write_bytes(b"half")
    os.utime(old, (0, 0))
    await open_local(settings).close()
    assert (old.exists(), young.exists()) == (False, True)


async def test_the_file_server_says_what_is_wrong(folder_store: ObjectStore) -> None:
    await folder_store.put("o/1", [CONTENT], crc32c=CRC32C)
    url = await folder_store.sign_url("o/1", timedelta(minutes=1), file_name="a.html", content_type="text/html")
    async with aiohttp.ClientSession() as session:
        async with session.get(url.replace("a.html", "b.html")) as answer:
            assert (answer.status, "not valid" in await answer.text()) == (403, True)
        async with session.get(url.split("?")[0]) as answer:
            assert (answer.status, "not valid" in await answer.text()) == (403, True)
        async with session.get(url.split("/o/1")[0] + "/" + quote("../../etc/passwd", safe="")) as answer:
            assert answer.status in {403, 404}
        async with session.post(url) as answer:
            assert answer.status == 405
        async with session.head(url) as answer:
            assert (answer.status, answer.headers["Content-Length"], await answer.read()) == (200, "7", b"")
        async with session.get(url, headers={"Range": "bytes=0-1", "If-Range": '"another"'}) as answer:
            assert (answer.status, await answer.read()) == (200, CONTENT)
        async with session.get(url, headers={"Range": "bytes=0-1,3-4"}) as answer:
            assert (answer.status, await answer.read()) == (200, CONTENT)
        async with session.get(url) as answer:
            # An uploaded page gets no scripts.
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[StorageSettings, subprocess.Popen[bytes]]]:
    """A folder store with `python -m mediafleet_core.storage.local_http` beside it."""
    address = f"127.0.0.1:{free_port()}"
    settings = StorageSettings(
        storage=Backend.LOCAL, storage_dir=tmp_path, storage_address=address, storage_signing_key=SecretStr(KEY)
    )
    environment = {
        "MEDIAFLEET_STORAGE_DIR": str(tmp_path),
        "MEDIAFLEET_STORAGE_ADDRESS": address,
        "MEDIAFLEET_STORAGE_SIGNING_KEY": KEY,
    }
    with subprocess.Popen(
        [sys.executable, "-m", "mediafleet_core.storage.local_http"], env=environment, stdout=subprocess.PIPE
    ) as process:

        def listening() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", int(address.rpartition(":")[2]))) == 0

        try:
            wait_until(listening, message="the file server to listen")
            yield settings, process
        finally:
            process.kill()


async def test_the_file_server_as_a_process(served: tuple[StorageSettings, subprocess.Popen[bytes]]) -> None:
    settings, process = served
    store = open_store(settings)
    await store.put("o/1", [CONTENT], crc32c=CRC32C)
    url = await store.sign_url("o/1", timedelta(minutes=1), file_name="a.jpg")
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert await answer.read() == CONTENT
    await store.close()
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"signature=" not in output
    assert KEY.encode() not in output


def test_the_file_server_names_the_missing_setting() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "mediafleet_core.storage.local_http"],
        env={},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert b"MEDIAFLEET_STORAGE_DIR" in ended.stderr
    assert b"Traceback" not in ended.stderr


async def test_plain_files_are_read_as_objects_and_never_changed(folder_store: ObjectStore, tmp_path: Path) -> None:
    imports = tmp_path / "imports" / "ann"
    (imports / "deep").mkdir(parents=True)
    for name in ("b c.jpg", "deep/Süd.png", "deep/a"):
        (imports / name).write_bytes(name.encode())
    (imports / os.fsdecode(b"caf\xe9")).write_bytes(b"no text")
    (imports / "link").symlink_to(imports / "deep")
    (imports / "up").symlink_to(tmp_path)
    os.mkfifo(imports / "pipe")
    listed = [stored async for stored in folder_store.list("imports/ann/")]
    names = ["b c.jpg", "caf\N{REPLACEMENT CHARACTER}", "deep/Süd.png", "deep/a"]
    assert [stored.key.removeprefix("imports/ann/") for stored in listed] == sorted(names)
    source = next(stored for stored in listed if stored.key.endswith("deep/a"))
    assert source.size == 6
    assert await folder_store.head(source.key) == source
    await folder_store.copy(source, "uploads/ann/1/o/1", content_type="text/plain")
    assert b"".join([chunk async for chunk in folder_store.read("uploads/ann/1/o/1")]) == b"deep/a"
    (imports / "deep" / "a").write_bytes(b"deep/b")
    with pytest.raises(MediafleetError) as changed:
        await folder_store.copy(source, "uploads/ann/2/o/1")
    assert changed.value.reason is Reason.SOURCE_CHANGED
    for key in ("link/a", "up/objects/uploads/ann/1/o/1", "../ann/deep/a", "pipe", "deep", "n" * 300, "a\0b"):
        assert await folder_store.head(f"imports/ann/{key}") is None
    for refused in (folder_store.put(source.key, [b""], crc32c=0), folder_store.delete([source.key])):
        with pytest.raises(MediafleetError) as kept:
            await refused
        assert kept.value.reason is Reason.FIELD_INVALID
    assert (imports / "deep" / "a").read_bytes() == b"deep/b"
    assert [stored.key async for stored in folder_store.list("")] == ["uploads/ann/1/o/1"]


def test_what_lies_too_deep_for_a_key_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "b").write_bytes(b"content")
    deepest = os.open(tmp_path / "ann", os.O_RDONLY)
    for _ in range(20):  # until no path can lead there
        os.mkdir("a" * 250, dir_fd=deepest)
        above, deepest = deepest, os.open("a" * 250, os.O_RDONLY, dir_fd=deepest)
        os.close(above)
    os.close(deepest)
    assert [found.key for found in PlainFiles(tmp_path, "imports/").below("imports/ann/", "")] == ["imports/ann/b"]


def test_a_file_of_a_time_that_no_calendar_has_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"content")
    # Not every file system keeps such a time.
    odd = SimpleNamespace(st_mode=stat.S_IFREG, st_ino=1, st_size=7, st_mtime=4e11, st_mtime_ns=4 * 10**20)
    with monkeypatch.context() as patched:
        patched.setattr(os, "lstat", lambda path: odd)
        (found,) = PlainFiles(tmp_path, "imports/").below("imports/", "")
    assert (found.key, found.size, found.modified) == ("imports/a", 7, None)
