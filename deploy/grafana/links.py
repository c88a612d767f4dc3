"""Where a panel leads: other boards, with the choices made here, and runbooks."""

from __future__ import annotations

from typing import Final

_KEPT: Final = ("datasource", "cluster", "namespace", "queue")
"""Variables that travel along. A job does not: each board is about other ones."""


def board_url(uid: str) -> str:
    """The board, for the same cluster and time."""
    chosen = "&".join(f"${{{name}:queryparam}}" for name in _KEPT)
    return f"/d/{uid}?{chosen}&${{__url_time_range}}"


def runbook_url(alert: str) -> str:
    """The runbook of an alert; the variable `docs` says where this repository's docs are read."""
    return f"${{docs}}/runbooks/{alert}.md"
