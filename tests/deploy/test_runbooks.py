"""Runbooks are alike, and what they tell to run can be run."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
import yaml

from mediafleet.cli import cli
from tests.deploy.alerts import RUNBOOKS, undocumented

HEADINGS = ["What it means", "How to look", "What to do", "When to escalate"]
PAGES = sorted(path for path in RUNBOOKS.glob("*.md") if path.stem != "README")

each_page = pytest.mark.parametrize("page", PAGES, ids=[path.stem for path in PAGES])


def fences(page: Path, language: str) -> list[str]:
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return found


def commands(page: Path) -> Iterator[list[str]]:
    """Lines of its shell fences, as words."""
    for fence in fences(page, "sh"):
        lines = [shlex.split(line) for line in fence.splitlines()]
        assert len({words[0] for words in lines}) == 1, f"a fence of its own for each program: {fence}"
        yield from lines


@pytest.fixture
def parse(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], None]:
    """Reads words as the command line does, and does nothing then. Raises click.UsageError."""
    monkeypatch.setattr(click.Command, "invoke", lambda command, context: None)

    def read(words: list[str]) -> None:
        cli.main(words, prog_name="mediafleet", standalone_mode=False)

    return read


@each_page
def test_the_headings_are_the_same(page: Path) -> None:
    lines = page.read_text().splitlines()
    assert lines[0] == f"# {page.stem}"
    assert [line.removeprefix("## ") for line in lines if line.startswith("## ")] == HEADINGS


@each_page
def test_every_command_is_one(page: Path, parse: Callable[[list[str]], None]) -> None:
    found = list(commands(page))
    assert found
    for program, *words in found:
        if program == "mediafleet":
            parse(words)
        else:
            assert (program, words[:2]) == ("kubectl", ["-n", "$NAMESPACE"])


@each_page
def test_the_doctor_is_asked_where_it_sees_redis_and_storage(page: Path) -> None:
    assert ["mediafleet", "doctor"] not in list(commands(page))


@pytest.mark.parametrize("line", ["list --state lost", "nothing", "pause queue now", "retry --failed --since soon"])
def test_a_command_that_is_none_is_noticed(line: str, parse: Callable[[list[str]], None]) -> None:
    with pytest.raises(click.UsageError):
        parse(line.split())


@each_page
def test_its_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert (page.parent / target).exists(), target


@each_page
def test_its_queries_name_metrics_that_are_there(page: Path) -> None:
    assert fences(page, "promql")
    for query in fences(page, "promql"):
        assert not undocumented(query)


def test_its_queries_are_promql(promtool: Path, tmp_path: Path) -> None:
    queries = [query for page in PAGES for query in fences(page, "promql")]
    records = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "runbooks", "rules": records}]}))
    checked = subprocess.run([promtool, "check", "rules", rules], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
