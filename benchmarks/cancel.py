"""How long a cancel of running work takes until the child is gone and the state says CANCELLED."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.progress import track

from mediafleet import Client
from mediafleet.v1 import uploads_pb2 as pb
from tests.e2e.dev_server import dev_server
from tests.processes import alive, descendants
from tests.waiting import wait_until

ROOT = Path(__file__).parents[1]
PLUGIN = {"MEDIAFLEET_WORKER_PLUGINS": "tests.poison", "PYTHONPATH": str(ROOT)}


def _one(client: Client, worker: int, content: bytes) -> float:
    idle = set(descendants(worker))
    upload_id = client.upload(content, display_name="job.bin").upload_id
    wait_until(lambda: client.get(upload_id).state == pb.UPLOAD_STATE_PROCESSING, message="the job to run")
    busy = wait_until(lambda: set(descendants(worker)) - idle, message="the job's child")
    start = time.perf_counter()
    client.cancel(upload_id)
    wait_until(
        lambda: client.get(upload_id).state == pb.UPLOAD_STATE_CANCELLED and not any(map(alive, busy)),
        message="CANCELLED and the child gone",
    )
    return time.perf_counter() - start


@click.command()
@click.option("--jobs", default=50, show_default=True, help="Jobs to cancel.")
def main(jobs: int) -> None:
    """Half of the jobs sleep, half hold the interpreter in a C loop."""
    with (
        TemporaryDirectory(prefix="mediafleet-bench-") as folder,
        dev_server(Path(folder) / "data", environment=PLUGIN) as server,
        Client(server.gateway, token=server.token) as client,
    ):
        worker = server.pids["worker-other-0"]
        seconds = sorted(
            _one(client, worker, f"POISON:{deed}\n{number}".encode())
            for number, deed in track(list(enumerate(["sleep", "hold"] * (jobs // 2))), "cancelling")
        )
    p99 = seconds[min(len(seconds) - 1, int(len(seconds) * 0.99))]
    click.echo(
        f"RPC to CANCELLED with no child left, {len(seconds)} jobs: "
        f"median {statistics.median(seconds):.3f} s, p99 {p99:.3f} s, most {seconds[-1]:.3f} s"
    )


if __name__ == "__main__":
    main()
