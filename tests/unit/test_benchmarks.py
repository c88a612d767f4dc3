"""Every benchmark says what it measures, and stands in docs/benchmarks.md."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parents[2]
NAMES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for path in (ROOT / "benchmarks").rglob("*.py")
    if "@click.command" in path.read_text()
)


def test_docs_list_each() -> None:
    page = (ROOT / "docs/benchmarks.md").read_text()
    assert sorted(set(re.findall(r"^\| `(benchmarks[\w.]*)`", page, re.MULTILINE))) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_help_tells_what_is_measured_the_reference_and_the_scale(name: str) -> None:
    path = ROOT.joinpath(*name.split("."))
    module = importlib.import_module(f"{name}.__main__" if path.is_dir() else name)
    command = module.main
    assert isinstance(command, click.Command)
    assert command.help == module.__doc__
    assert "Reference: " in str(command.help)
    options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    assert all(each.help for each in options)
