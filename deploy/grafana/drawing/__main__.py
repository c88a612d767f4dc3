"""Draws the boards: `python -m deploy.grafana.drawing --prometheus URL --to FOLDER`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from deploy.grafana.drawing.boards import committed
from deploy.grafana.drawing.picture import Range, draw
from deploy.grafana.drawing.prometheus import Prometheus


@click.command()
@click.option("--prometheus", "url", required=True, help="Base URL.")
@click.option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--minutes", default=60.0, show_default=True, help="Until now.")
@click.option("--rate-interval", default="1m", show_default=True, help="What $__rate_interval stands for.")
def main(url: str, folder: Path, minutes: float, rate_interval: str) -> None:
    """Draw each board as it would look now, with every choice at All."""
    folder.mkdir(parents=True, exist_ok=True)
    end = time.time()
    shown = Range(end - minutes * 60, end, max(1.0, minutes / 4), rate_interval)
    for board in committed():
        draw(board, Prometheus(url), shown, folder / f"{board.name}.png")
        click.echo(folder / f"{board.name}.png")


if __name__ == "__main__":
    main()
