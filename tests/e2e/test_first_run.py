"""What `make run ONCE=1` does: the whole path, and a receipt that a person can check."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

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
        timeout=100,
        check=False,
    )


def test_samples_go_the_whole_way(tmp_path: Path) -> None:
    done = first_run(tmp_path / "data")
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert "All 6 files succeeded, every checksum equal" in said
    assert len(re.findall(r"^  checksum  sent = recorded = downloaded: SHA-256 [0-9a-f]{64}$", said, re.M)) == 6
    assert (
        len(re.findall(r"^  time +fetch [\d.]+ s, process [\d.]+ s, store [\d.]+ s, in all [\d.]+ s$", said, re.M)) == 6
    )
    # Turned upright, for the picture was stored on its side.
    assert re.search(r"^sunset\.jpg  SUCCEEDED  image/jpeg, [\d.]+ MB, 3000 x 4000 px$", said, re.M)
    assert re.search(r"^orbit\.gif  SUCCEEDED .* 12 frames$", said, re.M)
    assert len(re.findall(r"^  small  +\d+ x \d+ px, [\d.]+ k?B, image/\w+\n    http://\S+$", said, re.M)) == 5
    again = first_run(tmp_path / "data", tmp_path / "data" / "samples" / "notes.txt")
    assert "Found 6 uploads of earlier runs." in again.stdout
    assert again.returncode == 0


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
