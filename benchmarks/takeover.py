"""How long an upload takes to go on when the gateway that holds it is paused.

Two gateways, local storage, a file of 32 MiB of which half is durable when its gateway is paused.

Reference: none.
"""

from __future__ import annotations

import signal
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import grpc

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core.parts import MIB
from mediafleet_devserver.redis_server import redis_server
from tests.gateway_processes import GatewayProcess, gateway_process
from tests.waiting import wait_until

SIZE = 32 * MIB
HALF = SIZE // 2


def _half_and_wait(upload_id: str, resume: threading.Event) -> Iterator[pb.WriteUploadRequest]:
    for offset in range(0, HALF, MIB):
        yield pb.WriteUploadRequest(upload_id="" if offset else upload_id, write_offset=offset, content=bytes(MIB))
    resume.wait()
    yield pb.WriteUploadRequest(write_offset=HALF, content=bytes(MIB))  # too late


def _rest(upload_id: str, start: int) -> Iterator[pb.WriteUploadRequest]:
    for offset in range(start, SIZE, MIB):
        first = upload_id if offset == start else ""
        yield pb.WriteUploadRequest(upload_id=first, write_offset=offset, content=bytes(MIB))
    yield pb.WriteUploadRequest(write_offset=SIZE, finish_write=True)


def _one(first: GatewayProcess, second: GatewayProcess) -> tuple[float, float]:
    """Seconds from SIGSTOP until the next part is durable through the other gateway, and until the upload is QUEUED."""
    spec = pb.UploadSpec(display_name="film.bin", size_bytes=SIZE)
    upload_id = second.uploads.CreateUpload(pb.CreateUploadRequest(spec=spec)).upload.upload_id

    def committed() -> int:
        return second.uploads.QueryWriteStatus(pb.QueryWriteStatusRequest(upload_id=upload_id)).committed_size

    resume = threading.Event()
    older = first.uploads.WriteUpload.future(_half_and_wait(upload_id, resume))
    wait_until(lambda: committed() == HALF, message="half of the file to be durable")
    first.process.send_signal(signal.SIGSTOP)
    start = time.perf_counter()
    newer = second.uploads.WriteUpload.future(_rest(upload_id, HALF))
    wait_until(lambda: committed() > HALF, message="the other gateway to go on")
    went_on = time.perf_counter() - start
    assert newer.result().upload.state == pb.UPLOAD_STATE_QUEUED
    ended = time.perf_counter() - start
    first.process.send_signal(signal.SIGCONT)
    resume.set()
    refused = older.exception(30)
    assert isinstance(refused, grpc.RpcError)
    assert older.code() is grpc.StatusCode.ABORTED, refused
    return went_on, ended


@click.command(help=__doc__)
@click.option("--rounds", default=20, show_default=True, help="Uploads, one after the other.")
def main(rounds: int) -> None:
    """Measure and print."""
    with TemporaryDirectory(prefix="mediafleet-bench-") as folder, ExitStack() as stack:
        root = Path(folder)
        (root / "redis").mkdir()
        redis = stack.enter_context(redis_server(root / "redis"))
        storage = {
            "MEDIAFLEET_STORAGE": "local",
            "MEDIAFLEET_STORAGE_DIR": str(root / "objects"),
            "MEDIAFLEET_STORAGE_SIGNING_KEY": "signing key of benchmarks",
        }
        first, second = (stack.enter_context(gateway_process(redis, storage, root / f"{name}.log")) for name in "ab")
        times = [_one(first, second) for _ in range(rounds)]
    for what, seconds in zip(("next part durable", "finished"), zip(*times, strict=True), strict=True):
        click.echo(f"{what}: median {statistics.median(seconds):.3f} s, most {max(seconds):.3f} s ({rounds} rounds)")


if __name__ == "__main__":
    main()
