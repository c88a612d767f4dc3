"""A batch of thousands of files by the command line, through two deaths of everything, failures and their retry.

Measured are the times until all have arrived, have ended and have been retried, and what a member takes of the memory
of Redis and the gateway. A long end-to-end test does the same with a smaller batch.

Reference: none. Only the poisoned may fail and run again, and the report must have a row for each member.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import NamedTuple

import click
import redis

from benchmarks.servers import Server
from mediafleet import Batch, BatchEvent, BatchState, Client
from mediafleet_devserver.redis_server import free_port
from tests.e2e.dev_server import MEDIAFLEET, DevServerProcess, dev_server
from tests.processes import alive
from tests.waiting import wait_until

ROOT = Path(__file__).parents[1]
POISON = {"MEDIAFLEET_WORKER_PLUGINS": "tests.poison", "PYTHONPATH": str(ROOT)}
SLOTS = {"MEDIAFLEET_WORKER_SLOTS": "4"}
SHARE = 0.4
"""Of the members: when so many have arrived, and when so many are done, everything is killed."""
PATIENCE = 600.0


class Story(NamedTuple):
    """What came of it. Bytes are per member: a gateway's are what it grew by at its most, Redis' what it holds more.

    `redis_passing` of them are answers of steps, kept for ten minutes.
    """

    members: int
    sent_at_kill: int
    done_at_kill: int
    sealed_after: float
    ended_after: float
    retried: int
    retried_after: float
    run_again: int
    succeeded: int
    rows: int
    report_seconds: float
    gateway_idle: int
    gateway_bytes: float
    redis_bytes: float
    redis_passing: float
    watched: list[BatchEvent]


def make_files(folder: Path, files: int, poisoned: int) -> Path:
    """Small files in folders of a hundred; the poisoned ones spread evenly."""
    every = files // poisoned
    for number in range(files):
        path = folder / f"{number // 100:03}" / f"{number:05}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        bad = number % every == 0 and number // every < poisoned
        path.write_bytes(b"POISON:fail\n%d" % number if bad else b"fine %d" % number)
    return folder


def ended(batch: Batch) -> int:
    """Members in a terminal state."""
    counts = batch.progress.counts
    return counts.succeeded + counts.failed + counts.cancelled + counts.expired


class Fleet:
    """Dev servers, one after the other, on the same data and port; and the command line."""

    def __init__(self, folder: Path) -> None:
        """`folder` is empty."""
        self._data, self._flags = folder / "data", ("--gateway-port", str(free_port()))

    def served(self, *, poisoned: bool) -> AbstractContextManager[DevServerProcess]:
        """The next dev server."""
        return dev_server(self._data, *self._flags, environment=SLOTS | (POISON if poisoned else {}))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`mediafleet batch ...`, running."""
        return subprocess.Popen(
            [str(MEDIAFLEET), "batch", *arguments, "--endpoints-file", str(self._data / "endpoints.json")],
            env={"PATH": os.defpath},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, expected: int = 0) -> str:
        """What it printed; it must end with this exit code."""
        command = self.start(*arguments)
        printed, _ = command.communicate()
        assert command.returncode == expected, printed
        return printed


def kill_everything(server: DevServerProcess, *commands: subprocess.Popen[str]) -> None:
    """SIGKILL to each process, Redis and the client too."""
    doomed = [server.process.pid, *server.descendants(), *(command.pid for command in commands)]
    for pid in doomed:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    server.process.wait()
    for command in commands:
        command.communicate()
    wait_until(lambda: not any(map(alive, doomed)), message="everything to be gone")


def watch(client: Client, batch_id: str, events: list[BatchEvent]) -> Thread:
    """Follows the batch through all that happens; ends with it."""
    thread = Thread(target=lambda: events.extend(client.batches.watch(batch_id)), daemon=True)
    thread.start()
    return thread


def tell(folder: Path, members: int, poisoned: int) -> Story:
    """The whole story."""
    fleet, files = Fleet(folder), make_files(folder / "files", members, poisoned)
    events: list[BatchEvent] = []
    begun = time.perf_counter()

    def now(client: Client) -> Batch:
        return next(client.batches.list())

    with fleet.served(poisoned=True) as server, Client(server.gateway, token=server.token, timeout=PATIENCE) as client:
        redis_before = used_by_redis(server)
        command = fleet.start("create", str(files), "--timeout", "120")
        wait_until(lambda: any(client.batches.list()), 60, "the batch")
        batch_id = now(client).batch_id
        watching = watch(client, batch_id, events)
        wait_until(lambda: now(client).progress.counts.total >= SHARE * members, PATIENCE, "members to arrive")
        kill_everything(server, command)

        with fleet.served(poisoned=True) as server:
            sent = now(client).progress.counts.total
            command = fleet.start("create", str(files), "--timeout", "120")
            wait_until(lambda: ended(now(client)) >= SHARE * members, PATIENCE, "members to be done")
            kill_everything(server, command)

        with fleet.served(poisoned=True) as server:
            done = ended(now(client))
            gateway = Server(server.gateway, server.pids["gateway-0"])
            idle = gateway.memory()
            printed = fleet.run("create", str(files), "--timeout", "120", expected=1)
            assert f"{members - poisoned} succeeded, {poisoned} failed" in printed, printed
            ended_after = time.perf_counter() - begun
            batch = now(client)
            watching.join(60)
            before = {row.upload_id: row for row in client.batches.report(batch_id)}
            grown, held = gateway.peak_memory() - idle, used_by_redis(server) - redis_before
            passing = answers_in_redis(server)

        with fleet.served(poisoned=False):
            begun_again = time.perf_counter()
            retried = int(json.loads(fleet.run("retry", batch_id, "--json"))["retried_items"])
            fleet.run("watch", batch_id)
            retried_after = time.perf_counter() - begun_again
            after = list(client.batches.report(batch_id))
            succeeded = now(client).progress.counts.succeeded
            reporting = time.perf_counter()
            fleet.run("report", batch_id, "--jsonl", "-o", str(folder / "report.jsonl"))
            reported = time.perf_counter() - reporting
    return Story(
        members=members,
        sent_at_kill=sent,
        done_at_kill=done,
        sealed_after=(batch.seal_time.ToDatetime() - batch.create_time.ToDatetime()).total_seconds(),
        ended_after=ended_after,
        retried=retried,
        retried_after=retried_after,
        run_again=sum(row != before[row.upload_id] for row in after),
        succeeded=succeeded,
        rows=len((folder / "report.jsonl").read_text().splitlines()),
        report_seconds=reported,
        gateway_idle=idle,
        gateway_bytes=grown / members,
        redis_bytes=held / members,
        redis_passing=passing / members,
        watched=events,
    )


def used_by_redis(server: DevServerProcess) -> int:
    """Bytes of its data."""
    with redis.Redis.from_url(str(server.endpoints["redis"])) as client:
        return int(client.info("memory")["used_memory"])


def answers_in_redis(server: DevServerProcess) -> int:
    """Bytes of the first answers of steps, which Redis forgets by itself."""
    with redis.Redis.from_url(str(server.endpoints["redis"])) as client:
        return sum(int(client.memory_usage(key) or 0) for key in client.scan_iter("mf:op:*", count=1000))


def changes(story: Story) -> list[str]:
    """States that the watcher was told of, in order."""
    told = [event.state_changed.state for event in story.watched if event.HasField("state_changed")]
    return [BatchState.Name(state).removeprefix("BATCH_STATE_") for state in told]


@click.command(help=__doc__)
@click.option("--members", default=10_000, show_default=True, help="Files of the batch.")
@click.option("--poisoned", default=100, show_default=True, help="Of these, how many fail at first.")
def main(members: int, poisoned: int) -> None:
    """Print the figures."""
    with TemporaryDirectory(prefix="mediafleet-bench-") as folder:
        story = tell(Path(folder), members, poisoned)
    click.echo(
        f"{story.members} members; killed with {story.sent_at_kill} arrived, again with {story.done_at_kill} done"
    )
    click.echo(
        f"sealed after {story.sealed_after:.0f} s, ended after {story.ended_after:.0f} s, both restarts included"
    )
    click.echo(f"watched through both kills: {', '.join(changes(story))}; {len(story.watched)} events")
    click.echo(f"retried {story.retried} in {story.retried_after:.1f} s; members that ran again: {story.run_again}")
    click.echo(f"succeeded in the end: {story.succeeded}; rows: {story.rows} in {story.report_seconds:.1f} s")
    click.echo(f"Redis: {story.redis_bytes:.0f} bytes a member, {story.redis_passing:.0f} of them for ten minutes")
    click.echo(f"gateway: {story.gateway_idle >> 20} MiB idle, at most {story.gateway_bytes:.0f} bytes a member more")


if __name__ == "__main__":
    main()
