"""Fire drills: each breaks a fresh fleet in one way and sees which alerts fire, with time divided by twenty.

Reference: the alerts that each drill names. Fails if one of them does not fire, if another does, or if a command of a
runbook does not run.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click

from benchmarks.drills import runbooks
from benchmarks.drills.faults import DRILLS, Drill
from benchmarks.drills.fleet import fleet
from benchmarks.drills.scaling import FACTOR

PATIENCE = 150.0
"""Seconds until all expected alerts must fire."""

_HEAD = """# Fire drills

Each drill breaks a fresh fleet (two gateways, three workers, S3, some callers) in one way before a real Prometheus
with the rules of [deploy/prometheus](../deploy/prometheus/rules). All lengths of time in them are divided by {factor}
first, so that what takes an hour takes three minutes; thresholds stay. Exactly the alerts of the second column have to
fire; those of the third may, as they follow if the fault lasts. While they fire, the commands of their
[runbooks](runbooks) are run as they are printed, with an administrator's token. There is no cluster here: blocks with
`kubectl` are only parsed.

Written by `.venv/bin/python -m benchmarks.drills --table docs/drills.md`, which fails if any of this does not hold.
Load average of the machine before: {load:.1f}.

| what is done | expected | may follow | fired | all expected after | commands |
|---|---|---|---|---|---|
"""


class Went(NamedTuple):
    """What became of a drill."""

    drill: Drill
    fired: frozenset[str]
    seconds: float
    ran: Sequence[runbooks.Ran]

    @property
    def missing(self) -> frozenset[str]:
        """Expected, and did not fire."""
        return self.drill.expected - self.fired

    @property
    def strange(self) -> frozenset[str]:
        """Fired, and neither expected nor explained."""
        return self.fired - self.drill.expected - self.drill.companions

    @property
    def well(self) -> bool:
        """As it should be."""
        return not self.missing and not self.strange and all(each.well for each in self.ran)

    def row(self) -> str:
        """In Markdown."""
        cells = (
            f"{self.drill.name}: {self.drill.text}",
            _names(self.drill.expected),
            _names(self.drill.companions),
            _names(self.fired) + ("" if self.well else " (**wrong**)"),
            f"{self.seconds:.0f} s" if self.drill.expected else f"none in {self.drill.watched:.0f} s",
            f"{sum(each.status is not None for each in self.ran)} blocks run, "
            f"{sum(each.status is None for each in self.ran)} parsed"
            if self.ran
            else "",
        )
        return f"| {' | '.join(cells)} |"


async def _drill(drill: Drill, folder: Path) -> Went:
    async with fleet(folder) as broken, AsyncExitStack() as stack:
        staff = await stack.enter_async_context(broken.client("admin_token"))
        upload = await staff.upload(b"for explain", display_name="a.txt", wait=True)
        start = time.time()
        await drill.strike(broken, stack)
        fired: set[str] = set()
        while not drill.expected <= fired and time.time() - start < PATIENCE:
            await asyncio.sleep(1)
            fired |= broken.firing()
        seconds = time.time() - start
        chosen = {"QUEUE": "image", "REASON": "a drill", "UPLOAD_ID": upload.upload_id}
        environment = {**broken.environment(), **chosen}
        ran = [each for alert in sorted(drill.expected & fired) for each in await _commands(alert, environment)]
        await asyncio.sleep(max(0.0, start + seconds + drill.watched - time.time()))
        fired |= broken.fired(start, time.time())
        return Went(drill, frozenset(fired), seconds, ran)


async def _commands(alert: str, environment: dict[str, str]) -> list[runbooks.Ran]:
    """Beside the callers, who go on."""
    return await asyncio.to_thread(lambda: list(runbooks.run(alert, environment)))


def _names(alerts: frozenset[str]) -> str:
    return ", ".join(sorted(alerts)) or "none"


def _tell(went: Went) -> None:
    click.echo(f"{'ok    ' if went.well else 'FAILED'}  {went.drill.name}: {_names(went.fired)}, {went.seconds:.0f} s")
    if went.missing:
        click.echo(f"        did not fire: {_names(went.missing)}")
    if went.strange:
        click.echo(f"        should not have fired: {_names(went.strange)}")
    for each in went.ran:
        if not each.well:
            click.echo(f"        status {each.status} of\n{each.block}{each.output}")


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice([drill.name for drill in DRILLS]))
@click.option("--table", "target", type=click.Path(path_type=Path), help="Where the table goes.")
def main(names: tuple[str, ...], target: Path | None) -> None:
    """Every drill, or those that are named."""
    load = os.getloadavg()[0]
    results = []
    for drill in DRILLS:
        if not names or drill.name in names:
            with TemporaryDirectory(prefix="mediafleet-bench-") as folder:
                results.append(asyncio.run(_drill(drill, Path(folder))))
            _tell(results[-1])
    if target:
        rows = "".join(f"{went.row()}\n" for went in results)
        target.write_text(_HEAD.format(factor=FACTOR, load=load) + rows)
    sys.exit(0 if all(went.well for went in results) else 1)


if __name__ == "__main__":
    main()
