"""Two `make` at once: the second one says that it waits, and goes on when the first one is done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ALONE = Path(__file__).parents[2] / "tools" / "alone.py"


def test_one_after_the_other(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    file.touch()
    command = [sys.executable, str(ALONE), str(file), "waiting"]
    with subprocess.Popen(
        [*command, "sh", "-c", "echo first; read _; echo done"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        assert first.stdout.readline() == "first\n"
        with subprocess.Popen([*command, "echo", "second"], stdout=subprocess.PIPE, text=True) as second:
            assert second.stdout is not None
            assert second.stdout.readline() == "waiting\n"
            assert second.poll() is None
            first.stdin.close()
            assert second.stdout.read() == "second\n"
        assert first.stdout.read() == "done\n"
