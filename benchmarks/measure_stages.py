"""Measures what the stages and steps of work take, by kind and size, and writes the table that progress goes by.

Each file is one class of sizes. It goes through the pipeline in this process for its steps, which are counted in CPU
seconds, for that is what they take where a core is free; and a few times through a dev server, alone, for the stages
that wait for disks and storage, of which the least counts. So a machine that does other work gives much the same table.

Reference: none.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click
from PIL import Image
from rich.progress import track

from benchmarks.mixed_files import picture, plain
from mediafleet import Client, Upload, UploadState
from mediafleet_workers.pipeline import StepProgress, run
from tests.e2e.dev_server import dev_server
from tests.pictures import job_for

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF")
MEGAPIXELS = (0.1, 1, 4, 12, 48, 119)
PLAIN = (1 << 10, 1 << 17, 1 << 20, 1 << 23, 1 << 27)
TARGET = Path(__file__).parents[1] / "core/mediafleet_core/progress/stages.json"

LIMITS = {"MEDIAFLEET_TENANTS": '{"demo": {"max_upload_bytes": {"IMAGE": 2147483648}}}'}
"""Large pictures are let in."""

UPLINK = 12_500_000
"""Bytes per second of a caller's line, 100 Mbit/s, for the receive leg's share of percent."""


class Row(NamedTuple):
    """One class: its size in bytes or pixels, and seconds by stage or step."""

    size: int
    seconds: Mapping[str, float]


def stages_of(upload: Upload) -> Mapping[str, float]:
    """Seconds by stage; what is left of the time at work belongs to the commit."""
    assert upload.state == UploadState.UPLOAD_STATE_SUCCEEDED, upload
    spent = {timing.stage: timing.duration.ToTimedelta().total_seconds() for timing in upload.stage_timings}
    whole = (upload.finish_time.ToDatetime() - upload.start_time.ToDatetime()).total_seconds()
    return spent | {"commit": max(0.001, whole - sum(spent.values()))}


def steps_of(path: Path) -> Mapping[str, float]:
    """CPU seconds by step of the pipeline."""
    began: dict[str, float] = {}

    def heard(step: StepProgress) -> None:
        began.setdefault(step.step, time.process_time())

    run(job_for(path), heard)
    names, times = list(began), [*began.values(), time.process_time()]
    return {name: after - before for name, (before, after) in zip(names, pairwise(times), strict=True)}


def least(rounds: list[Mapping[str, float]]) -> dict[str, float]:
    """Of several measurements, by name."""
    return {name: round(min(each[name] for each in rounds), 5) for name in rounds[0]}


def received_percent(rows: Iterator[Row]) -> float:
    """Median share of the receive leg of the whole time at UPLINK, over all classes, to the nearest 10."""
    shares = [row.size / UPLINK / (row.size / UPLINK + sum(row.seconds.values())) for row in rows]
    return 10.0 * round(10 * statistics.median(shares))


def measure(folder: Path, client: Client, rounds: int) -> tuple[dict[str, list[Row]], dict[str, list[Row]]]:
    """Rows of stages and of steps, by content type."""
    stages, steps = defaultdict[str, list[Row]](list), defaultdict[str, list[Row]](list)

    def sent(path: Path) -> dict[str, float]:
        return least([stages_of(client.upload(path, transfer="stream", wait=True)) for _ in range(rounds)])

    for size in track(PLAIN, "plain files"):
        path = plain(folder, size)
        stages["plain"].append(Row(size, sent(path)))
        path.unlink()
    starting = min(row.seconds["process"] for row in stages["plain"])
    for name, megapixels in track([(name, each) for name in FORMATS for each in MEGAPIXELS], "pictures"):
        path, content_type = picture(folder, name, megapixels), f"image/{name.lower()}"
        with Image.open(path) as image:
            pixels = image.width * image.height
        step = least([steps_of(path) for _ in range(rounds)])
        process = round(starting + sum(step.values()), 5)
        steps[content_type].append(Row(pixels, step))
        stages[content_type].append(Row(path.stat().st_size, sent(path) | {"process": process}))
        path.unlink()
    return stages, steps


@click.command(help=__doc__)
@click.option("--rounds", default=3, show_default=True, help="Measurements of each file.")
@click.option("--target", default=TARGET, type=click.Path(path_type=Path), help="Where the table goes.")
def main(rounds: int, target: Path) -> None:
    """Measure and write."""
    Image.MAX_IMAGE_PIXELS = None
    with (
        TemporaryDirectory(prefix="mediafleet-bench-") as folder,
        dev_server(Path(folder) / "data", environment=LIMITS) as server,
        Client(server.gateway, token=server.token) as client,
    ):
        stages, steps = measure(Path(folder), client, rounds)
    measured = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "command": f"python -m benchmarks.measure_stages --rounds {rounds}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, local storage",
        "load": f"{os.getloadavg()[2]:.1f}",
    }
    received = received_percent(row for rows in stages.values() for row in rows)
    target.write_text(_text(measured, received, stages, steps))
    click.echo(f"receiving is {received:g} percent; written to {target}")


def _text(
    measured: Mapping[str, str], received: float, stages: Mapping[str, list[Row]], steps: Mapping[str, list[Row]]
) -> str:
    """JSON with a row a line."""

    def table(rows: Mapping[str, list[Row]]) -> str:
        types = (
            f'    "{name}": [\n'
            + ",\n".join(f"      {json.dumps(row._asdict())}" for row in sorted(found, key=lambda row: row.size))
            + "\n    ]"
            for name, found in rows.items()
        )
        return "{\n" + ",\n".join(types) + "\n  }"

    return (
        f'{{\n  "measured": {json.dumps(measured)},\n  "received_percent": {received},\n'
        f'  "stages": {table(stages)},\n  "steps": {table(steps)}\n}}\n'
    )


if __name__ == "__main__":
    main()
