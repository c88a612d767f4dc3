"""What `make run ONCE=1` does: the whole path, and a receipt that a person can check."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mediafleet_devserver.data_dir import DataDir
from mediafleet_devserver.names import files_named
from mediafleet_devserver.options import DevServerError
from mediafleet_devserver.redis_server import free_port
from mediafleet_devserver.samples import make_samples


def first_run(data_dir: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mediafleet_devserver.first_run", "--once"]
    return subprocess.run(
        [*command, "--data-dir", str(data_dir), "--gateway-port", str(free_port()), *map(str, files)],
        env={"PATH": os.defpath},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


def interrupted(data_dir: Path, when: str) -> str:
    """What it says when it is stopped by Ctrl-C after a line that contains `when`."""
    command = [sys.executable, "-u", "-m", "mediafleet_devserver.first_run", "--data-dir", str(data_dir)]
    command += ["--gateway-port", str(free_port())]  # not the usual one, which others on this machine may take
    with subprocess.Popen(
        command, env={"PATH": os.defpath}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if when in line:
                break
        process.send_signal(signal.SIGINT)
        said += process.stdout.read()
    assert process.returncode == 0, said
    return said


def rows(said: str) -> dict[str, list[str]]:
    """Cells of the summary, by file."""
    table = said[said.index("\nseconds ") :].strip().splitlines()
    return {line.split()[0]: line.split()[1:] for line in table[1 : table.index("")]}


def test_samples_go_the_whole_way(tmp_path: Path) -> None:
    done = first_run(tmp_path / "data")
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert "6 files succeeded; bytes sent = recorded = downloaded" in said
    assert len(re.findall(r"^  sha-256   [0-9a-f]{64}$", said, re.M)) == 6
    # Turned upright, for the picture was stored on its side.
    assert re.search(r"^sunset\.jpg  SUCCEEDED  image/jpeg, [\d.]+ MB, 3000 x 4000 px$", said, re.M)
    assert re.search(r"^orbit\.gif  SUCCEEDED .* 12 frames$", said, re.M)
    assert len(re.findall(r"^  small  +\d+ x \d+ px, [\d.]+ k?B, image/\w+\n    http://\S+$", said, re.M)) == 5
    table = rows(said)
    assert len(table) == 6
    for state, *times, verdict in table.values():
        *parts, whole = map(float, times)
        assert (state, verdict, len(parts)) == ("SUCCEEDED", "equal", 5)
        assert sum(parts) == pytest.approx(whole, abs=0.005)

    again = interrupted(tmp_path / "data", "Serving until")
    assert "Found 6 uploads of earlier runs." in again
    assert "6 done in an earlier run" in again
    assert again.endswith(f"Stopping.\nStopped. The data stays in {tmp_path / 'data'}\n")
    # Signed URLs outlive a stop: the storage has the port that they name.
    assert origins(again) == origins(said)
    assert len(origins(said)) == 1


def origins(said: str) -> set[str]:
    return set(re.findall(r"^    (http://[^/]+)/", said, re.M))


def test_a_file_that_fails_is_told_and_counts(tmp_path: Path) -> None:
    photo, *_, note = make_samples(tmp_path / "samples")
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(photo.read_bytes()[:100_000])
    done = first_run(tmp_path / "data", damaged, note)
    assert done.returncode == 1
    assert re.search(r"^damaged\.jpg  FAILED", done.stdout, re.M)
    assert re.search(r"^  failure   (TRUNCATED|CORRUPT)_MEDIA: ", done.stdout, re.M)
    assert re.search(r"^notes\.txt  SUCCEEDED", done.stdout, re.M)
    assert "1 of 2 files failed" in done.stdout


def make_run(folder: Path, *variables: str) -> subprocess.CompletedProcess[str]:
    """`make run` of this checkout with data in `folder`, in the environment that is there."""
    ready = Path(sys.prefix) / ".ready"
    return subprocess.run(
        ["make", f"--old-file={ready}", "run", f"VENV={sys.prefix}", f"DATA={folder}", *variables],
        cwd=Path(__file__).parents[2],
        # Names that other programs may use are not meant for it.
        env={"PATH": os.defpath, "DATA": "/nowhere", "FILES": "nothing.jpg"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


@pytest.mark.skipif(not (Path(sys.prefix) / ".ready").exists(), reason="not an environment that make has made")
def test_names_reach_it_as_they_are(tmp_path: Path) -> None:
    names = ["a (1); b.txt", "c$HOME.txt", "it's.txt"]
    for name in names:
        (tmp_path / name).write_text(name)
    done = make_run(tmp_path / "data 1", f"FILES={shlex.join(str(tmp_path / name) for name in names)}", "ONCE=1")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in names:
        assert re.search(rf"^{re.escape(name)}  SUCCEEDED", done.stdout, re.M)
    assert (tmp_path / "data 1" / "redis").is_dir()


def test_what_cannot_be_is_said_in_the_words_of_make(tmp_path: Path) -> None:
    absent = make_run(tmp_path / "data", "FILES=my photo.jpg", "ONCE=1")
    assert absent.returncode == 2
    assert "make run: FILES: there is no my. Names with spaces have quotes of their own" in absent.stderr
    with pytest.raises(DevServerError, match="FILES has a quote without its partner"):
        files_named("it's.jpg")
    with DataDir(tmp_path / "data").locked():
        taken = make_run(tmp_path / "data", "ONCE=0")
    assert f"make run: DATA: {tmp_path / 'data'} is in use by the dev server with pid {os.getpid()}" in taken.stderr
    assert "make run DATA=other" in taken.stderr
    assert "Starting" not in taken.stdout


def test_an_interruption_in_between_says_how_to_go_on(tmp_path: Path) -> None:
    said = interrupted(tmp_path / "data", "queued")
    assert "Stopping." in said
    assert f"{tmp_path / 'data'}\nNot every file was done: the same command again goes on where it was." in said
