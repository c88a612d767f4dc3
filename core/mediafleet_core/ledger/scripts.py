"""The ledger's steps as Lua: each script is the generated tables, the shared parts, its own main() and the epilogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files

from mediafleet_core.failures import MAX_LOST_LEASES, FailureCode
from mediafleet_core.ledger import records
from mediafleet_core.ledger.settings import LedgerSettings
from mediafleet_core.media_types import MediaKind
from mediafleet_core.object_keys import ROOT
from mediafleet_core.parts import PARTS_IN_FLIGHT
from mediafleet_core.ports.notices import NOTICES_KEPT
from mediafleet_core.ports.webhooks import EVENT_PREFIX, MESSAGES_KEPT
from mediafleet_core.progress import MOST_BEFORE_TERMINAL, RECEIVED_PERCENT
from mediafleet_core.progress.receiving import FLOW_MEMORY
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import TERMINAL, TRANSITIONS, Priority

REQUEST_MEMORY_MS = 24 * 3600 * 1000
"""How long a deleted upload answers a repeated delete, and its request id is remembered at least."""

OPERATION_MEMORY_MS = 10 * 60 * 1000
"""How long a step remembers its first answer: longer than any client library goes on repeating it."""

SWEEP_SLACK_MS = 60 * 1000
"""How late a second sweep may come."""

HISTORY_KEPT = 200
"""State changes that a record keeps for replay."""

SHARED = ("prelude", "batches", "webhooks", "notices", "removal", "epilogue")
"""What every script is made of, in this order; its own lines stand before the last."""


def sources(settings: LedgerSettings) -> Mapping[str, str]:
    """The whole text of every script, by name."""
    folder = files(__package__) / "scripts"
    tables = _tables(settings)
    *shared, epilogue = ((folder / f"_{name}.lua").read_text() for name in SHARED)
    return {
        entry.name.removesuffix(".lua"): "\n".join(
            [tables, *shared, "local function main()", entry.read_text(), "end", epilogue]
        )
        for entry in folder.iterdir()
        if entry.name.endswith(".lua") and not entry.name.startswith("_")
    }


def _tables(settings: LedgerSettings) -> str:
    constants: dict[str, int | float | str] = {
        "events": settings.events_kept,
        "history": HISTORY_KEPT,
        "operation": OPERATION_MEMORY_MS,
        "request": REQUEST_MEMORY_MS,
        "retention": int(settings.retry_retention.total_seconds() * 1000),
        "sweep_slack": SWEEP_SLACK_MS,
        "sweep_again": int(settings.sweep_again_after.total_seconds() * 1000),
        "in_flight": PARTS_IN_FLIGHT,
        "received": RECEIVED_PERCENT,
        "flow_memory": FLOW_MEMORY * 1000,
        "before_terminal": MOST_BEFORE_TERMINAL,
        "root": ROOT,
        "share": records.share(Limits()),
        "most_lost": MAX_LOST_LEASES,
        "blamed": FailureCode.WORKER_CRASHED,
        "event": EVENT_PREFIX,
        "notices": NOTICES_KEPT,
        "messages": int(MESSAGES_KEPT.total_seconds() * 1000),
    }
    transitions = {
        name: f"{{from = {_lua({str(s): True for s in step.sources})}, target = '{step.target}'}}"
        for name, step in TRANSITIONS.items()
    }
    return "\n".join(
        [
            f"local TRANSITIONS = {{{', '.join(f'{name} = {text}' for name, text in transitions.items())}}}",
            f"local TERMINAL = {_lua({str(state): True for state in TERMINAL})}",
            f"local KINDS = {_list(MediaKind)}",
            f"local PRIORITIES = {_list(Priority)}",
            f"local CONSTANTS = {_lua(constants)}",
        ]
    )


def _list(names: Iterable[str]) -> str:
    return "{" + ", ".join(f"'{name}'" for name in names) + "}"


def _lua(table: Mapping[str, int | float | str | bool]) -> str:
    def value(item: int | float | str | bool) -> str:
        if isinstance(item, bool):
            return "true" if item else "false"
        return f"'{item}'" if isinstance(item, str) else repr(item)

    return "{" + ", ".join(f"{name} = {value(item)}" for name, item in sorted(table.items())) + "}"
