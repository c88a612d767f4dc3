"""How long a cancel takes in each phase, until nothing of the upload runs or waits.

From the RPC until CANCELLED, no child, no scratch, no multipart, nothing reserved or in a queue.

Reference: none.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.progress import track

from benchmarks.pairs import quantile
from tests.cancelling import PHASES, Phase, Place, place
from tests.waiting import wait_until


def _one(here: Place, phase: Phase, number: int) -> float:
    with phase(here, number) as upload_id:
        start = time.perf_counter()
        here.client.cancel(upload_id)
        wait_until(lambda: not here.left(upload_id), message=f"{upload_id} to be gone")
        return time.perf_counter() - start


def _row(name: str, seconds: list[float]) -> str:
    p99, most = quantile(seconds, 99), max(seconds)
    return f"| {name} | {len(seconds)} | {statistics.median(seconds):.3f} | {p99:.3f} | {most:.3f} |"


@click.command(help=__doc__)
@click.option("--each", default=25, show_default=True, help="Cancels in each of the eight phases.")
def main(each: int) -> None:
    """Measure and print."""
    took: dict[str, list[float]] = defaultdict(list)
    with TemporaryDirectory(prefix="mediafleet-bench-") as folder, place(Path(folder) / "data") as here:
        for number in track(range(each), "cancelling"):
            for name, phase in PHASES.items():
                took[name].append(_one(here, phase, number))
    rows = [_row(name, seconds) for name, seconds in took.items()]
    everything = [each for seconds in took.values() for each in seconds]
    click.echo("\n".join(["| phase | n | median, s | p99, s | most, s |", "|---|---|---|---|---|", *rows]))
    click.echo(_row("all", everything))


if __name__ == "__main__":
    main()
