"""The endpoint's command line."""

from __future__ import annotations

import signal
import sys
from datetime import timedelta
from pathlib import Path

import click

from mediafleet_core.settings import SettingsError, read
from mediafleet_core.telemetry import logs
from mediafleet_devserver.r2.endpoint import R2Endpoint
from mediafleet_devserver.r2.server import HOST, server_of
from mediafleet_devserver.r2.settings import R2Settings


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="On loopback; 0 takes a free one.")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keeps finished objects; without it they live in memory. Unfinished multiparts are never kept.",
)
@click.option(
    "--write-interval",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Seconds between two writes to one key.",
)
def main(port: int, data_dir: Path | None, write_interval: float) -> None:
    """Serve S3 with Cloudflare R2's rules, for development and tests.

    R2_BUCKET_NAME, R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY name the bucket, which is made, and the key for its
    objects; R2_ADMIN_ACCESS_KEY_ID and R2_ADMIN_SECRET_ACCESS_KEY, if set, a key for everything, and
    R2_READER_ACCESS_KEY_ID and R2_READER_SECRET_ACCESS_KEY one that can only read.
    """
    logs.configure("r2")
    try:
        settings = read(R2Settings)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    endpoint = R2Endpoint(settings, data_dir=data_dir, write_interval=timedelta(seconds=write_interval))
    server = server_of(endpoint, port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    click.echo(f"R2 endpoint ready on http://{HOST}:{server.port}, bucket {settings.r2_bucket_name}")
    server.serve_forever()
