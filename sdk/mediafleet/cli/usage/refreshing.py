"""A refresh of the whole bucket's usage, followed to its end with a bar on stderr."""

from __future__ import annotations

import asyncio

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mediafleet.aio import AsyncClient
from mediafleet.cli.connection import Connection
from mediafleet.v1.usage_pb2 import Usage

LOOK = 0.5
"""Seconds between two looks at how far it is."""


async def refreshed(connection: Connection) -> tuple[Usage, bool]:
    """The figures after the reconciliation, and whether there was one: else they are as they were."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        async with connection.async_client() as client:
            before = await client.usage(whole_bucket=True)
            after = await _followed(client, bar)
    return after, after.reconcile_time != before.reconcile_time


async def _followed(client: AsyncClient, bar: Progress) -> Usage:
    """A gateway waits for a while only; whoever asked goes on looking as long as the listing goes on."""
    task = bar.add_task("reconciling with the bucket", total=None)

    def draw(figures: Usage) -> None:
        if figures.HasField("reconcile_progress"):
            progress = figures.reconcile_progress
            bar.update(task, completed=progress.objects_listed, total=progress.objects_expected or None)

    asked = asyncio.create_task(client.usage(whole_bucket=True, refresh=True))
    try:
        while not asked.done():
            draw(await client.usage(whole_bucket=True))
            await asyncio.wait([asked], timeout=LOOK)
        figures = await asked
    finally:
        asked.cancel()
    while figures.HasField("reconcile_progress"):
        draw(figures)
        await asyncio.sleep(LOOK)
        figures = await client.usage(whole_bucket=True)
    return figures
