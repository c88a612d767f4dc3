"""Writes the dashboards: `python -m deploy.grafana`; with `--check` it only tells which are not as the code says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from deploy.grafana.boards import BOARDS
from deploy.grafana.dashboards import json_of

FOLDER: Final = Path(__file__).parent


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if a file differs.")
def main(check: bool) -> None:
    """Write deploy/grafana/*.json from the code, and remove those that it no longer has."""
    wanted = {FOLDER / f"{board.name}.json": json_of(board, BOARDS) for board in BOARDS}
    stale = [path for path in FOLDER.glob("*.json") if path not in wanted]
    differing = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if check:
        for path in (*stale, *differing):
            click.echo(f"{path.name} is not what deploy/grafana/boards says; run make dashboards", err=True)
        sys.exit(1 if stale or differing else 0)
    for path in stale:
        path.unlink()
    for path in differing:
        path.write_text(wanted[path])
        click.echo(f"wrote {path.name}")


if __name__ == "__main__":
    main()
