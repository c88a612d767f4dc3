"""`make bench`: every comparison in one run."""

from __future__ import annotations

import json
import platform

import click
from rich.console import Console

from benchmarks import direct, ingest, status, thumbnails
from benchmarks.pairs import rows
from benchmarks.servers import both


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Measured rounds of each pair.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(rounds: int, as_json: bool) -> None:
    """Measure each subject and its reference in turn; print medians and ratios."""
    pairs = [thumbnails.run(rounds)]
    with both() as (gateway, bare):
        pairs += [status.run(gateway, bare, rounds), ingest.run(gateway, bare, rounds)]
    with direct.site() as here:
        pairs += direct.run(here, rounds)
    if as_json:
        click.echo(json.dumps([pair._asdict() for pair in pairs], indent=2))
        return
    machine = f"{platform.machine()}, Python {platform.python_version()}, {rounds} rounds"
    Console(soft_wrap=True).print(f"Measured on {machine}\n", *rows(pairs), sep="\n", markup=False, highlight=False)


if __name__ == "__main__":
    main()
