"""`mediafleet watch`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from mediafleet.cli import interrupts
from mediafleet.cli.connection import ENDURING, Connection, connected

if TYPE_CHECKING:
    from mediafleet.v1.uploads_pb2 import Upload, UploadEvent


@click.command()
@click.argument("upload_ids", nargs=-1, metavar="[ID]...")
@click.option("--all-tenants", is_flag=True, help="All of every tenant's; needs the scope admin.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per event and line; no bars.")
@connected(ENDURING)
def watch(connection: Connection, upload_ids: tuple[str, ...], all_tenants: bool, as_json: bool) -> None:
    """Follow uploads until they end.

    Without an ID it follows all of the tenant's, those to come too, until Ctrl-C.

    Exit code 0 if every one succeeded, 1 if any did not.
    """
    if upload_ids and all_tenants:
        raise click.UsageError("--all-tenants follows all uploads, and takes no ID")
    if not upload_ids:
        _watch_all(connection, all_tenants, as_json)
        return
    ended = interrupts.run(_watch_each(connection, upload_ids, as_json))
    if not as_json:
        from mediafleet.cli.output import uploads

        uploads(ended, as_json=False)
    from mediafleet.v1.uploads_pb2 import UploadState

    if any(upload.state != UploadState.UPLOAD_STATE_SUCCEEDED for upload in ended):
        raise click.exceptions.Exit(1)


async def _watch_each(connection: Connection, upload_ids: tuple[str, ...], as_json: bool) -> list[Upload]:
    from mediafleet.cli.bars import Bars
    from mediafleet.cli.json_lines import json_line
    from mediafleet.progress import Report, applied
    from mediafleet.v1.uploads_pb2 import Upload

    async def one(upload_id: str) -> Upload:
        upload = Upload(upload_id=upload_id)
        report: Report | None = None
        async for event in client.watch(upload_id):
            upload = applied(event, upload)
            if report is None:
                report = Report(
                    lambda progress: bars.show(upload_id, progress.upload.display_name, progress), upload.size_bytes
                )
            report.heard(upload)
            if as_json:
                json_line(event)
        return upload

    with Bars(enabled=not as_json) as bars:
        async with connection.async_client() as client:
            return await asyncio.gather(*(one(upload_id) for upload_id in upload_ids))


def _watch_all(connection: Connection, all_tenants: bool, as_json: bool) -> None:
    from mediafleet.cli.json_lines import json_line

    with connection.client() as client:
        for event in client.watch_many(all_tenants=all_tenants):
            if as_json:
                json_line(event)
            elif not event.HasField("heartbeat"):
                click.echo(_line(event, with_tenant=all_tenants))


def _line(event: UploadEvent, *, with_tenant: bool) -> str:
    from mediafleet.cli.text import plain
    from mediafleet.progress import applied, state_name
    from mediafleet.v1.uploads_pb2 import Upload

    time = event.event_time.ToDatetime().strftime("%H:%M:%S")
    whose = (time, *([event.tenant] if with_tenant else []), event.upload_id)
    if event.HasField("deleted"):
        return "  ".join([*whose, "DELETED"])
    upload = applied(event, Upload())
    progress = upload.progress
    state = "" if event.HasField("progress") else state_name(upload.state)
    words = (*whose, state, f"{progress.percent:.0f} %", progress.stage, progress.step)
    return plain("  ".join(filter(None, (*words, upload.path or upload.display_name))))
