"""A fleet under mixed load before a real Prometheus: asks every question of boards and rules, and draws the boards.

Reference: none. Fails if an expression is refused or has no answer, or if an alert fires.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from benchmarks.observed.answers import Answered, of_boards, of_rules, table
from benchmarks.observed.fleet import FLAGS, JOBS, limit_memory, settings
from benchmarks.observed.load import People, files
from benchmarks.observed.rules import FOLDER
from deploy.grafana.drawing.boards import committed
from deploy.grafana.drawing.picture import Range, draw
from deploy.grafana.drawing.prometheus import Prometheus
from tests.e2e.dev_server import dev_server
from tests.prometheus import prometheus, scrapes
from tests.receivers import receiving

RATE_INTERVAL = "15s"
"""What $__rate_interval stands for at a scrape a second."""

_HEAD = """# What Prometheus answers

Every expression of every panel and rule, asked of a real Prometheus that scraped a dev server (two gateways, three
workers, S3) once a second under mixed load for {seconds:g} s: uploads, batches, watches, cancels, mistakes and broken
files. `$__rate_interval` was {interval}; every variable stood at All. An alert is asked as a whole and in its parts,
since as a whole it has no answer while nothing is wrong.

This page is written by `.venv/bin/python -m benchmarks.observed --table docs/answers.md`, which fails if an expression
is refused or empty, or if an alert fires. Load average of the machine before: {load:.1f}.

"""


async def _observe(seconds: float, folder: Path, pictures: Path | None) -> list[Answered]:
    async with receiving() as receiver:
        with (
            dev_server(folder / "data", *FLAGS, environment=settings(receiver.url)) as server,
            prometheus(folder / "prometheus", scrapes(server.endpoints, JOBS), sorted(FOLDER.glob("*.yaml"))) as asked,
        ):
            limit_memory(server.endpoints["redis"])
            people = People(server.endpoints, files(folder))
            start = time.time()
            await people.live(seconds)
            shown = Range(start, start + seconds, max(1.0, seconds / 240), RATE_INTERVAL)
            click.echo(f"callers met {dict(people.met)}")
            return await asyncio.to_thread(_look, asked, shown, pictures)


def _look(asked: Prometheus, shown: Range, pictures: Path | None) -> list[Answered]:
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
        for board in committed():
            draw(board, asked, shown, pictures / f"{board.name}.png")
    return [*of_boards(asked, shown), *of_rules(asked, shown)]


@click.command(help=__doc__)
@click.option("--seconds", default=150.0, show_default=True, help="Of load.")
@click.option("--table", "target", type=click.Path(path_type=Path), help="Where the table goes.")
@click.option("--pictures", type=click.Path(file_okay=False, path_type=Path), help="Where the drawn boards go.")
def main(seconds: float, target: Path | None, pictures: Path | None) -> None:
    """Observe, ask, tell."""
    load = os.getloadavg()[0]
    with TemporaryDirectory(prefix="mediafleet-bench-") as folder:
        answers = asyncio.run(_observe(seconds, Path(folder), pictures))
    if target:
        rows = "\n".join(table(answers)) + "\n"
        target.write_text(_HEAD.format(seconds=seconds, interval=RATE_INTERVAL, load=load) + rows)
    trouble = [each for each in answers if each.trouble]
    for each in trouble:
        click.echo(f"{each.where} / {each.what}: {each.result}\n  {each.expr}")
    click.echo(f"{len(answers)} expressions, {len(trouble)} in trouble")
    sys.exit(1 if trouble else 0)


if __name__ == "__main__":
    main()
