"""Prints a page with every metric of gateway and worker, as promtool's lint reads it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from importlib import import_module

from prometheus_client import REGISTRY, generate_latest

from mediafleet_core.batches import BatchState
from mediafleet_core.fleet import QueueFigures
from mediafleet_core.media_types import MediaKind
from mediafleet_core.ports import Figures, ServerFigures
from mediafleet_core.telemetry.metrics import BUILD_INFO
from mediafleet_core.uploads import State
from mediafleet_core.usage import ReconciliationStatus, Stored
from mediafleet_workers.housekeeping.exporter import Exporter


def main() -> None:
    """Metrics register themselves where they are defined; the figures of the fleet are shown by a leader."""
    for process in ("mediafleet_gateway", "mediafleet_workers"):
        import_module(f"{process}.bootstrap")
    BUILD_INFO.labels("0", "gateway").set(1)
    exporter = Exporter()
    exporter.lead(float("inf"))
    exporter.show(
        Figures(
            as_of=datetime.now(UTC),
            queues=[QueueFigures(kind, 0, 0, 0, 0, None, None) for kind in MediaKind],
            uploads=dict.fromkeys(State, 0),
            batches=dict.fromkeys(BatchState, 0),
            originals=dict.fromkeys(MediaKind, Stored()),
            renditions=dict.fromkeys(MediaKind, Stored()),
            reconciliation=ReconciliationStatus(None, None),
            server=ServerFigures(0, 0, 0, True, 0, 0, 0, {0: 0}, True, True, True, True),
        )
    )
    with exporter.on_page():
        sys.stdout.buffer.write(generate_latest(REGISTRY))


if __name__ == "__main__":
    main()
