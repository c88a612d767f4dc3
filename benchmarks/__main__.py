"""`make bench`: every comparison in one run, each subject and its reference in turn; prints medians and ratios.

bytes: one stream, four, small files and GetUpload. Reference: a bare grpc.aio server, bare senders, boto3, and
@tus/server where npm is present.

direct: the gateway's CPU for an upload that passes it by. Reference: one that passes through it.

imports: objects of the bucket that become uploads. Reference: boto3 that copies the same objects.

jobs: jobs that do nothing. Reference: bare Dramatiq, Celery, and the worker without its sandbox.

steps: steps of the ledger. Reference: one SET on the same Redis.

thumbnails: the image pipeline on a 12 MP JPEG. Reference: one DCT-scaled decode.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping

import click
from rich.console import Console

from benchmarks import direct, imports, ingest, jobs, small_files, status, steps, thumbnails, tus_peer
from benchmarks.pairs import Pair, report
from benchmarks.servers import bench
from mediafleet_devserver.redis_server import free_port


def _bytes(rounds: int, console: Console) -> Iterator[Pair]:
    with bench() as started:
        sink = started.python("benchmarks.discarding_s3", f"127.0.0.1:{free_port()}")
        bare = started.python("benchmarks.bare_server", f"127.0.0.1:{free_port()}")
        gateway = started.gateway(sink)
        yield status.run(gateway.address, bare.address, rounds)
        yield from ingest.run(gateway, bare, sink, rounds)
        yield ingest.run_local(started.gateway(), bare, rounds)
        two = started.gateway(sink, processes=2)
        yield from ingest.run_parallel(gateway, two, rounds)
        yield from small_files.run(gateway, two, sink, rounds)
        tus = tus_peer.start(started, sink)
        if tus is None:
            console.print("Skipped: @tus/server, because there is no npm on PATH.\n")
        else:
            yield from tus_peer.run(gateway, tus, rounds)


def _direct(rounds: int) -> Iterator[Pair]:
    with direct.site() as here:
        yield from direct.run(here, rounds)


def _imports(rounds: int) -> Iterator[Pair]:
    with bench() as started:
        yield from imports.run(started, rounds)


PARTS: Mapping[str, Callable[[int, Console], Iterable[Pair]]] = {
    "thumbnails": lambda rounds, _: [thumbnails.run(rounds)],
    "bytes": _bytes,
    "steps": lambda rounds, _: steps.run(rounds),
    "jobs": lambda rounds, _: jobs.run(rounds),
    "direct": lambda rounds, _: _direct(rounds),
    "imports": lambda rounds, _: _imports(rounds),
}


@click.command(help=__doc__)
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option("--rounds", default=5, show_default=True, help="Measured rounds of each pair.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(parts: tuple[str, ...], rounds: int, as_json: bool) -> None:
    """Measure each subject and its reference in turn, of all PARTS unless some are named; print medians and ratios."""
    console = Console(stderr=as_json, soft_wrap=True)
    pairs = [pair for part in parts or PARTS for pair in PARTS[part](rounds, console)]
    if as_json:
        click.echo(json.dumps([pair._asdict() for pair in pairs], indent=2))
        return
    console.print(*report(pairs, rounds), sep="\n", markup=False, highlight=False)


if __name__ == "__main__":
    main()
