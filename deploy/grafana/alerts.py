"""Which alerts are ours: each has a runbook that bears its name."""

from __future__ import annotations

from pathlib import Path
from typing import Final

RUNBOOKS: Final = Path(__file__).parents[2] / "docs/runbooks"


def firing() -> str:
    """PromQL for our alerts that fire, in the chosen namespaces; those on something absent have none."""
    names = "|".join(
        sorted(path.stem for path in RUNBOOKS.glob("*.md") if path.stem[0].isupper() and path.stem != "README")
    )
    chosen = 'cluster=~"$cluster|", namespace=~"$namespace|"'
    return f'ALERTS{{{chosen}, alertstate="firing", alertname=~"{names}"}}'
