"""The commands of a runbook, run as they are printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from deploy.grafana.alerts import RUNBOOKS

TIMEOUT: Final = 60
"""Seconds that a block may take; commands bear trouble for a while before they say so."""
_ANSWERS: Final = frozenset({0, 1})
"""Done, or a plain "it does not work" of a fleet that is broken. 2 is a wrong command line, 127 no such command."""


class Ran(NamedTuple):
    """One block of commands, and how it went; None where it was not run."""

    block: str
    status: int | None
    output: str

    @property
    def well(self) -> bool:
        """Whether the commands exist, are used rightly, and fail without a stack trace if they do."""
        return self.status is None or (self.status in _ANSWERS and "Traceback" not in self.output)


def blocks(alert: str, language: str) -> list[str]:
    """What stands in fences of a language on an alert's page."""
    return re.findall(rf"^```{language}\n(.*?)^```", (RUNBOOKS / f"{alert}.md").read_text(), re.MULTILINE | re.DOTALL)


def run(alert: str, environment: Mapping[str, str]) -> Iterator[Ran]:
    """Each block of shell; those for kubectl are only parsed, since there is no cluster here."""
    for block in blocks(alert, "sh"):
        if re.search(r"\bkubectl\b", block):
            subprocess.run(["bash", "-n", "-c", block], check=True)
            yield Ran(block, None, "")
            continue
        done = subprocess.run(
            ["bash", "-u", "-o", "pipefail", "-c", block],
            env={"PATH": f"{Path(sys.executable).parent}:{os.defpath}", "HOME": "/nonexistent", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=TIMEOUT * block.count("\n"),
        )
        yield Ran(block, done.returncode, done.stdout)
