"""The command `mediafleet dev`. Nothing heavy is imported before it runs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mediafleet_devserver.options import DEFAULT_DATA_DIR, DEFAULT_GATEWAY_PORT, Options, StorageKind


@click.command()
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_DATA_DIR,
    show_default=True,
    help="Folder for everything that is kept; started again on it, the dev server finds its data.",
)
@click.option(
    "--gateway-port",
    type=click.IntRange(1, 65535),
    default=DEFAULT_GATEWAY_PORT,
    show_default=True,
    help="Port of the first gateway; the others follow.",
)
@click.option("--gateways", type=click.IntRange(1, 16), default=1, show_default=True, help="Gateway processes.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Workers for pictures.")
@click.option(
    "--storage",
    type=click.Choice(["local", "s3"]),
    default="local",
    show_default=True,
    help="A folder, or an S3 server with the rules of Cloudflare R2.",
)
def dev(data_dir: Path, gateway_port: int, gateways: int, workers: int, storage: StorageKind) -> None:
    """Run everything on this machine, not for production.

    That is gateways, workers, storage and Redis. When all of it answers, DATA_DIR/endpoints.json tells addresses,
    tokens and pids.
    """
    from mediafleet_devserver.dev import run

    sys.exit(run(Options(data_dir, gateway_port, gateways, workers, storage)))
