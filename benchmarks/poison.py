"""What poison costs its neighbours: how long pictures of 1 MP take beside it.

One tenant keeps two of a worker's four slots busy, another sends one picture after the other.

Reference: the same beside legal work that takes as much CPU time, in turn.
"""

from __future__ import annotations

import io
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import chain, count, cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.progress import track

from benchmarks.pairs import quantile
from mediafleet import Client
from mediafleet.v1 import uploads_pb2 as pb
from tests.e2e.dev_server import dev_server
from tests.pictures import scene
from tests.waiting import wait_until

POISON = ("crash", "spin", "allocate", "hog", "gorge", "bomb", "call", "spy", "trespass", "murder", "fill", "clutch")
SLOTS, BUSY = 4, 2
SETTINGS = {
    "PYTHONPATH": str(Path(__file__).parents[1]),
    "MEDIAFLEET_WORKER_PLUGINS": "tests.poison",
    "MEDIAFLEET_WORKER_SLOTS": str(SLOTS),
    "MEDIAFLEET_JOB_TIME": "PT2S",
    "MEDIAFLEET_JOB_MEMORY": str(256 << 20),
    "MEDIAFLEET_JOB_FILE_SIZE": str(64 << 20),
    "MEDIAFLEET_RETRY_FIRST": "PT0.1S",
}
_ENDS = (pb.UPLOAD_STATE_SUCCEEDED, pb.UPLOAD_STATE_FAILED)


class Load:
    """Keeps slots busy with poison, or with legal work of the CPU time that the same poison was measured to take."""

    def __init__(self, client: Client) -> None:
        """Idle; `client` is the tenant that sends it."""
        self._client = client
        self._number = count()
        self.cpu: dict[str, list[float]] = {deed: [] for deed in POISON}
        """Seconds that each deed took, both of its attempts together."""

    @contextmanager
    def of(self, work: Callable[[str], str]) -> Iterator[None]:
        """Busy inside the context with what `work` makes of one deed after the other."""
        stop, deeds = threading.Event(), cycle(POISON)
        with ThreadPoolExecutor(BUSY) as slots:
            jobs = [slots.submit(self._keep_busy, stop, deeds, work) for _ in range(BUSY)]
            try:
                yield
            finally:
                stop.set()
                for job in jobs:
                    job.result()

    def poison(self, deed: str) -> str:
        """The deed itself."""
        return f"POISON:{deed}"

    def legal(self, deed: str) -> str:
        """Work of the deed's CPU time."""
        measured = self.cpu[deed] or list(chain.from_iterable(self.cpu.values()))
        return f"POISON:burn:{statistics.mean(measured):.3f}"

    def _keep_busy(self, stop: threading.Event, deeds: Iterator[str], work: Callable[[str], str]) -> None:
        while not stop.is_set():
            deed = next(deeds)
            content = f"{work(deed)}\n{next(self._number)}".encode()
            # As a picture it meets the worker that makes pictures.
            done = self._client.upload(content, display_name="a.jpg", wait=True)
            if done.state == pb.UPLOAD_STATE_FAILED:
                self.cpu[deed].append(sum(timing.cpu.ToTimedelta().total_seconds() for timing in done.stage_timings))


def _healthy(client: Client, content: bytes, jobs: int, name: str) -> list[float]:
    seconds = []
    for _ in track(range(jobs), name):
        start = time.perf_counter()
        upload_id = client.upload(content, display_name="a.jpg").upload_id
        wait_until(lambda: client.get(upload_id).state in _ENDS, message="a healthy job")  # noqa: B023 - called here
        seconds.append(time.perf_counter() - start)
        assert client.get(upload_id).state == pb.UPLOAD_STATE_SUCCEEDED
    return seconds


def _told(name: str, seconds: list[float]) -> float:
    p99 = quantile(seconds, 99)
    click.echo(f"{name}: n {len(seconds)}, median {statistics.median(seconds):.3f} s, p99 {p99:.3f} s")
    return p99


@click.command(help=__doc__)
@click.option("--jobs", default=50, show_default=True, help="Healthy jobs of each half of a round.")
@click.option("--rounds", default=4, show_default=True, help="Of both halves.")
def main(jobs: int, rounds: int) -> None:
    """Measure and print."""
    file = io.BytesIO()
    scene(1200, 900).save(file, "JPEG")
    beside: dict[str, list[float]] = {"poison": [], "legal work": []}
    with TemporaryDirectory(prefix="mediafleet-bench-") as folder, ExitStack() as stack:
        server = stack.enter_context(dev_server(Path(folder) / "data", environment=SETTINGS))
        load = Load(stack.enter_context(Client(server.gateway, token=server.token)))
        client = stack.enter_context(Client(server.gateway, token=server.endpoints["other_token"]))
        idle = _healthy(client, file.getvalue(), jobs, "alone")
        for _ in range(rounds):
            for name, work in (("poison", load.poison), ("legal work", load.legal)):
                with load.of(work):
                    beside[name] += _healthy(client, file.getvalue(), jobs, f"beside {name}")
    _told("alone", idle)
    poison, legal = (_told(f"beside {name}", seconds) for name, seconds in beside.items())
    click.echo(f"p99 beside poison / beside legal work of the same CPU time: {poison / legal:.2f}")


if __name__ == "__main__":
    main()
