"""Memory of a gateway while four clients each stream a sparse file of 8 GiB, drawn over time.

The clients are the SDK in processes of their own, the storage is an S3 endpoint that discards.

Reference: the goal, 175 MB.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click

from benchmarks.servers import bench
from mediafleet import Client
from mediafleet_devserver.redis_server import free_port

CLIENTS = 4
GOAL = 175 << 20
"""Bytes that the gateway may have resident."""
INTERVAL = 0.25
"""Seconds between two samples."""

_MIB = 1 << 20
_WIDTH, _HEIGHT, _MARGIN = 720, 300, 48
_FONT = 'font-family="sans-serif" font-size="12" fill="#333"'
_LINE = 'fill="none" stroke="#27c" stroke-width="1.5"'


class Sample(NamedTuple):
    """Seconds since the start, and bytes resident."""

    at: float
    resident: int


def _send(address: str, path: str) -> None:
    with Client(address) as client:
        client.upload(path, transfer="stream")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)


def plot(samples: list[Sample], title: str) -> str:
    """An SVG of memory over time, from 0, with a line at the goal."""
    top = max(GOAL, *(sample.resident for sample in samples)) * 1.1
    last = samples[-1].at
    left, right, bottom = _MARGIN, _WIDTH - _MARGIN, _HEIGHT - _MARGIN

    def x(seconds: float) -> float:
        return round(left + seconds / last * (right - left), 1)

    def y(size: float) -> float:
        return round(bottom - size / top * (bottom - _MARGIN), 1)

    def across(size: float, style: str) -> str:
        return f'<line x1="{left}" x2="{right}" y1="{y(size)}" y2="{y(size)}" {style}/>'

    def text(at_x: float, at_y: float, content: str, style: str = 'text-anchor="middle"') -> str:
        return f'<text x="{at_x}" y="{at_y}" {style}>{content}</text>'

    rows = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {_FONT}>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        text(left, 24, title, 'font-size="14"'),
        text(left - 24, _MARGIN - 8, "MiB"),
    ]
    for mib in range(0, int(top / _MIB), 50):
        rows += [across(mib * _MIB, 'stroke="#ddd"'), text(left - 24, y(mib * _MIB) + 4, str(mib))]
    rows += [text(x(last * part / 4), bottom + 18, f"{last * part / 4:.0f} s") for part in range(5)]
    rows += [
        across(GOAL, 'stroke="#c33" stroke-dasharray="6 4"'),
        text(right, y(GOAL) + 14, f"goal: {GOAL // _MIB} MiB", 'text-anchor="end" fill="#c33"'),
        f'<polyline points="{" ".join(f"{x(at)},{y(size)}" for at, size in samples)}" {_LINE}/>',
        "</svg>",
    ]
    return "\n".join(rows) + "\n"


def measure(size: int) -> tuple[list[Sample], int, list[int]]:
    """Samples and peak of the gateway, and the peak of each client in MiB, while each sends `size` bytes."""
    with bench() as started, TemporaryDirectory(prefix="mediafleet-bench-") as folder:
        file = Path(folder, "sparse.bin")
        with file.open("wb") as sparse:
            sparse.truncate(size)
        sink = started.python("benchmarks.discarding_s3", f"127.0.0.1:{free_port()}")
        gateway = started.gateway(sink)
        command = [sys.executable, "-m", "benchmarks.memory", "--client", gateway.address, str(file)]
        start = time.monotonic()
        clients = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(CLIENTS)]
        samples: list[Sample] = []
        while any(client.poll() is None for client in clients):
            samples.append(Sample(time.monotonic() - start, gateway.memory()))
            time.sleep(INTERVAL)
        said = [client.communicate()[0] for client in clients]
        assert all(client.returncode == 0 for client in clients), said
        return samples, gateway.peak_memory(), [int(peak) for peak in said]


@click.command(help=__doc__)
@click.option("--gib", default=8.0, show_default=True, help="Size of each file.")
@click.option("--plot", "target", type=click.Path(path_type=Path), help="Where the drawing goes.")
@click.option("--client", nargs=2, hidden=True)
def main(gib: float, target: Path | None, client: tuple[str, str] | None) -> None:
    """Measure, print and draw."""
    if client:
        _send(*client)
        return
    samples, peak, clients = measure(int(gib * (1 << 30)))
    seconds = samples[-1].at
    speed = CLIENTS * gib * (1 << 30) / 1e6 / seconds
    later = [sample.resident / _MIB for sample in samples if sample.at > seconds / 4]
    print(f"{CLIENTS} x {gib:g} GiB in {seconds:.0f} s, {speed:,.0f} MB/s on {os.cpu_count()} CPUs")
    print(f"gateway: peak {peak / _MIB:.0f} MiB; {min(later):.0f} to {max(later):.0f} after a quarter")
    print(f"clients: peak {max(clients)} MiB each")
    if target:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(plot(samples, f"Gateway, resident memory: {CLIENTS} uploads of {gib:g} GiB at once"))


if __name__ == "__main__":
    main()
