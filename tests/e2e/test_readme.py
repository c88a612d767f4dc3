"""What the README and the guide to the SDK show runs as printed, in a folder where a dev server keeps its data."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediafleet_devserver.samples import make_samples
from tests.e2e.dev_server import dev_server

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def block(language: str, containing: str) -> str:
    """The one fenced block of a language that contains a text."""
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)
    (found,) = (text for text in blocks if containing in text)
    return found


def run(*command: str, folder: Path, path: str) -> str:
    environment = {"PATH": path, "HOME": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """As a checkout is while `make run` serves."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "protos", folder / "protos")
    (folder / ".venv").symlink_to(sys.prefix)
    with dev_server(folder / ".mediafleet") as server:
        make_samples(server.data_dir / "samples")
        yield folder


def test_python_example(folder: Path) -> None:
    example = block("python", "client.upload(")
    assert len(example.splitlines()) <= 12
    printed = run(sys.executable, "-c", example, folder=folder, path=os.defpath).splitlines()
    assert {line.split()[0] for line in printed} == {"large", "preview", "medium", "small"}


def test_guide_to_the_sdk(folder: Path) -> None:
    blocks: list[str] = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/guide/python.md").read_text(), re.M | re.S)
    printed = run(sys.executable, "-W", "error", "-c", "\n".join(blocks), folder=folder, path=os.defpath)
    for said in ("UPLOAD_STATE_FAILED", "UPLOAD_NOT_FOUND", "UPLOAD_STATE_SUCCEEDED", "display_name"):
        assert said in printed, printed
    assert "was not taken" not in printed


def test_command_line(folder: Path) -> None:
    printed = run("sh", "-euc", block("sh", "mediafleet upload"), folder=folder, path=os.defpath)
    assert "sunset.jpg" in printed
    assert "SUCCEEDED" in printed.upper()


@pytest.mark.skipif(shutil.which("npx") is None, reason="Node is absent, and buf comes from npm")
def test_buf_lines(folder: Path) -> None:
    # Installs buf into tools/ from the lock, from where npx takes it.
    subprocess.run([ROOT / "tools" / "buf.sh"], check=True, capture_output=True)
    (folder / "node_modules").symlink_to(ROOT / "tools" / "node_modules")
    node = Path(shutil.which("npx") or "").parent
    path = os.pathsep.join([str(Path(sys.executable).parent), str(node), os.defpath])
    printed = run("sh", "-euc", block("sh", "buf curl"), folder=folder, path=path)
    decoder, answers = json.JSONDecoder(), []
    while printed := printed.lstrip():
        answer, end = decoder.raw_decode(printed)
        answers.append(answer)
        printed = printed[end:]
    uploaded, listed, usage = answers
    assert uploaded["upload"]["displayName"] == "hello.txt"
    assert uploaded["upload"]["uploadId"] in [upload["uploadId"] for upload in listed["uploads"]]
    assert "usage" in usage
