"""Real kills of real processes, as an operator or a bad day would do it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest

from mediafleet import Client
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceStub
from tests.e2e.dev_server import DevServerProcess, dev_server
from tests.pictures import scene
from tests.processes import alive, descendants
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "PYTHONPATH": str(ROOT),  # where the plugin is found
    "MEDIAFLEET_WORKER_PLUGINS": "tests.poison",
    "MEDIAFLEET_WORKER_SLOTS": "4",
}
WORKERS = {"image": "worker-image-0", "other": "worker-other-0"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServerProcess]:
    with dev_server(tmp_path_factory.mktemp("survival") / "data", environment=SETTINGS) as running:
        yield running


@pytest.fixture
def client(server: DevServerProcess) -> Iterator[Client]:
    with Client(server.gateway, token=server.token) as client:
        yield client


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "large.png"
    scene(5000, 4000).save(path)
    return path


def poison(folder: Path, deed: str, number: int = 0) -> Path:
    path = folder / f"{deed}-{number}.bin"
    path.write_bytes(f"POISON:{deed}\n{number}".encode())
    return path


def wait_for(client: Client, upload_id: str, *states: pb.UploadState.ValueType, timeout: float = 30) -> pb.Upload:
    def reached() -> pb.Upload | None:
        upload = client.get(upload_id)
        return upload if upload.state in states else None

    found = wait_until(reached, timeout, f"upload to be in {[pb.UploadState.Name(s) for s in states]}")
    assert found is not None
    return found


def objects(server: DevServerProcess, upload_id: str) -> list[str]:
    """Keys below the upload's prefix, as the folder of the local storage has them."""
    root = server.data_dir / "objects"
    return sorted(
        str(path).partition(f"{upload_id}/")[2] for path in root.rglob("*") if path.is_file() and upload_id in str(path)
    )


def scratch(server: DevServerProcess) -> list[Path]:
    return [path for path in (server.data_dir / "scratch").rglob("*") if path.is_file()]


def grown_beyond(items: list[str], size: int) -> None:
    wait_until(lambda: len(items) > size, 60, "writes to go on")


def kill_with_children(server: DevServerProcess, name: str) -> None:
    pid = server.pids[name]
    doomed = [pid, *descendants(pid)]
    for each in doomed:
        with suppress(ProcessLookupError):  # a child ends with its worker
            os.kill(each, signal.SIGKILL)
    wait_until(lambda: not any(map(alive, doomed)), message=f"every process of {name} to be gone")
    server.wait_for_successor(name, pid)


@pytest.mark.parametrize("kind", ["image", "other"])
def test_a_killed_worker_costs_its_job_nothing_but_time(
    server: DevServerProcess, client: Client, picture: Path, tmp_path: Path, kind: str
) -> None:
    before = client.usage()
    upload = client.upload(picture if kind == "image" else poison(tmp_path, "nap"))
    wait_for(client, upload.upload_id, pb.UPLOAD_STATE_PROCESSING)
    kill_with_children(server, WORKERS[kind])
    # Recovery by itself within 30 s of the kill is part of the promise.
    done = wait_for(client, upload.upload_id, pb.UPLOAD_STATE_SUCCEEDED, pb.UPLOAD_STATE_FAILED)
    assert done.state == pb.UPLOAD_STATE_SUCCEEDED
    assert (done.attempt, done.max_attempts) == (1, 3)

    expected = 2 + len(done.renditions)  # original and manifest
    wait_until(lambda: len(objects(server, upload.upload_id)) == expected, message="one object set")
    attempts = {key.split("/")[1] for key in objects(server, upload.upload_id) if key.startswith("r/")}
    assert len(attempts) == (1 if done.renditions else 0)
    after = client.usage()
    stored = done.size_bytes + sum(rendition.size_bytes for rendition in done.renditions)
    assert after.bytes - before.bytes == stored
    assert after.objects - before.objects == 1 + len(done.renditions)
    assert [event.WhichOneof("event") for event in client.watch(upload.upload_id)] == ["snapshot"]
    wait_until(lambda: not scratch(server), message="scratch to be empty")


def test_nothing_acknowledged_is_lost_when_redis_is_killed_ten_times(server: DevServerProcess, client: Client) -> None:
    acknowledged: list[str] = []
    refused: list[grpc.StatusCode] = []
    stop = threading.Event()

    def write(number: int) -> None:
        with grpc.insecure_channel(server.gateway) as channel:
            stub = UploadServiceStub(channel)
            metadata = (("authorization", f"Bearer {server.token}"),)
            while not stop.is_set():
                content = f"{number}/{len(acknowledged)}".encode()
                request = pb.UploadFileRequest(spec=pb.UploadSpec(display_name="a.txt"), content=content)
                try:
                    answer = stub.UploadFile(request, metadata=metadata, timeout=30)
                except grpc.RpcError as error:
                    refused.append(error.code())
                else:
                    acknowledged.append(answer.upload.upload_id)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(10):
            grown_beyond(acknowledged, len(acknowledged) + 10)
            server.wait_for_successor("redis", server.kill("redis"))
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert set(refused) <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
    for upload_id in acknowledged:
        done = wait_for(client, upload_id, pb.UPLOAD_STATE_SUCCEEDED, pb.UPLOAD_STATE_FAILED, timeout=60)
        assert done.state == pb.UPLOAD_STATE_SUCCEEDED
