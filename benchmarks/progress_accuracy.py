"""How true progress is: over a mixed set of files, what a watcher is shown against what turned out to be true.

A dev server on S3 takes files by stream and direct, small and so large that their work takes seconds; a few more come
over a slow line. The storage gives 50 MB/s to each reader, as one that is far away does. One watcher sees them all.
When all have ended, each moment of their work is looked at again, ten times a second: which share of the work's time
was over then, and which share was shown?

Reference: the truth. The goals are 5 points of mean difference, and an ETA within 25 % from half-way on.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

import click
from PIL import Image
from rich.progress import Progress

from benchmarks.accuracy.judging import Verdict, judged
from benchmarks.accuracy.plot import plot
from benchmarks.accuracy.watching import Seen, watch
from benchmarks.mixed_files import picture, plain
from mediafleet import AsyncClient, Upload
from mediafleet_devserver.r2.faults import Fault, FaultKind
from mediafleet_devserver.r2.operations import Operation
from tests.e2e.dev_server import dev_server

MIB = 1 << 20
PICTURES = {
    "JPEG": (0.3, 2, 8, 12, 24, 48),
    "PNG": (0.1, 1, 4, 12, 24),
    "WEBP": (0.3, 4, 12, 24),
    "GIF": (0.1, 1, 6),
    "TIFF": (0.5, 6, 24, 48),
}
"""Megapixels."""
LARGE = {"PNG": 118, "WEBP": 118, "TIFF": 118}
"""As many megapixels as a picture may have."""
PLAIN = (1 << 10, 100 << 10, MIB, 8 * MIB, 32 * MIB, 128 * MIB)
LONG = 512 * MIB
EACH_LARGE, EACH_LONG, SLOW = 2, 4, 4
"""How many of each large picture, of long files, and of files over the slow line."""
SLOW_BYTES, SLOW_RATE = 64 * MIB, 8 * MIB

SETTINGS = {
    "MEDIAFLEET_TENANTS": '{"demo": {"max_upload_bytes": {"IMAGE": 4294967296}, "collection_bytes": 1099511627776}}',
}

Way = Literal["stream", "direct", "slow"]


class Sending(NamedTuple):
    """One upload to be: a file, and how it travels."""

    path: Path
    way: Way


def mixed(folder: Path, count: int, large: bool) -> list[Sending]:
    """`count` uploads in random order, always the same; each file is made once and sent several times."""
    with Progress() as bars:
        wanted = [(name, each) for name, sizes in PICTURES.items() for each in sizes]
        task = bars.add_task("making files", total=len(wanted) + len(PLAIN) + (len(LARGE) + 1 if large else 0))

        def made(path: Path) -> Path:
            bars.advance(task)
            return path

        pictures = [made(picture(folder, name, megapixels)) for name, megapixels in wanted]
        others = [made(plain(folder, size)) for size in PLAIN]
        larger = [made(picture(folder, name, size)) for name, size in LARGE.items()] * EACH_LARGE if large else []
        larger += [made(plain(folder, LONG))] * EACH_LONG if large else []
    slow = [Sending(plain(folder, SLOW_BYTES, "slow"), "slow")] * (SLOW if large else 1)
    ways: Sequence[Way] = ("stream", "direct")
    rest = count - len(larger) - len(slow)
    turns = cycle(pictures), cycle(pictures), cycle(others)
    usual = [next(turns[number % 3]) for number in range(rest)]
    sendings = [Sending(path, ways[number % 2]) for number, path in enumerate([*usual, *larger])] + slow
    random.Random(1).shuffle(sendings)
    return sendings


class _SlowFile(io.BytesIO):
    """Reads no faster than the slow line sends."""

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        time.sleep(len(content) / SLOW_RATE)
        return content


async def _send(client: AsyncClient, sending: Sending) -> Upload:
    if sending.way != "slow":
        return await client.upload(sending.path, transfer=sending.way, wait=True, timeout=600)
    content = await asyncio.to_thread(sending.path.read_bytes)
    return await client.upload(_SlowFile(content), display_name="slow.bin", wait=True, timeout=600)


async def run(target: str, token: str, sendings: Sequence[Sending], at_once: int) -> list[Seen]:
    """Everything that was seen of each upload, once all have ended."""
    seen: dict[str, Seen] = {}
    waiting = list(reversed(sendings))
    async with AsyncClient(target, token=token, timeout=120) as client:
        ready = asyncio.Event()
        watcher = asyncio.create_task(watch(client, seen, ready, timedelta(milliseconds=20)))
        await ready.wait()
        with Progress() as bars:
            task = bars.add_task("sending", total=len(sendings))

            async def sender() -> None:
                while waiting:
                    await _send(client, waiting.pop())
                    bars.advance(task)

            await asyncio.gather(*(sender() for _ in range(at_once)))
        deadline = time.monotonic() + 30
        while not (len(seen) == len(sendings) and all(each.ended for each in seen.values())):
            assert time.monotonic() < deadline, "an end was not seen"
            await asyncio.sleep(0.05)
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher
    return list(seen.values())


@click.command(help=__doc__)
@click.option("--files", default=206, show_default=True, help="How many uploads.")
@click.option("--large/--no-large", default=True, show_default=True, help="With files whose work takes seconds.")
@click.option("--at-once", default=1, show_default=True, help="Senders; each waits for its file's end.")
@click.option("--storage-rate", default=50, show_default=True, help="MB/s in which storage gives; 0 for no limit.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of lines.")
@click.option("--plot", "target", type=click.Path(path_type=Path), help="Where the drawing goes.")
def main(files: int, large: bool, at_once: int, storage_rate: int, as_json: bool, target: Path | None) -> None:
    """Send, judge, print and draw."""
    Image.MAX_IMAGE_PIXELS = None
    with TemporaryDirectory(prefix="mediafleet-bench-") as made:
        folder = Path(made)
        sendings = mixed(folder, files, large)
        load = os.getloadavg()[0]
        with dev_server(folder / "data", "--storage", "s3", environment=SETTINGS) as server:
            if storage_rate:
                server.plan_faults(
                    Fault(
                        kind=FaultKind.CRAWL,
                        operations=frozenset({Operation.GET_OBJECT}),
                        bytes_per_second=storage_rate * 1_000_000,
                    )
                )
            seen = asyncio.run(run(server.gateway, server.token, sendings, at_once))
    verdict: Verdict = judged(seen)
    if as_json:
        click.echo(json.dumps({**verdict.figures(), "load before": round(load, 1)}, indent=2))
    else:
        for line in verdict.lines():
            click.echo(line)
        click.echo(f"load before: {load:.1f}")
    if target:
        target.write_text(plot(verdict))


if __name__ == "__main__":
    main()
