"""Files that attack their worker: each is contained, fails with its code, its attempts and the evidence, and alone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import redis

from mediafleet import Client
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core.failures import AttemptRecord
from tests.e2e.dev_server import DevServerProcess, dev_server
from tests.pictures import scene
from tests.processes import descendants
from tests.waiting import wait_until

SETTINGS = {
    "PYTHONPATH": str(Path(__file__).parents[2]),  # where the plugin is found
    "MEDIAFLEET_WORKER_PLUGINS": "tests.poison",
    "MEDIAFLEET_WORKER_SLOTS": "4",
    "MEDIAFLEET_JOB_TIME": "PT4S",
    "MEDIAFLEET_JOB_MEMORY": str(256 << 20),
    "MEDIAFLEET_JOB_FILE_SIZE": str(8 << 20),
    "MEDIAFLEET_RETRY_FIRST": "PT0.1S",
}


class Verdict(NamedTuple):
    """The code of a deed, and what the evidence names."""

    code: str
    evidence: str


REFUSED = Verdict("WORKER_CRASHED", "PermissionError")
CORPUS = {
    "crash": Verdict("WORKER_CRASHED", "SIGSEGV"),
    "spin": Verdict("TIMED_OUT", "ran for 0:00:04; SIGKILL"),
    "hold": Verdict("TIMED_OUT", "ran for 0:00:04; SIGKILL"),
    "allocate": Verdict("OUT_OF_MEMORY", "MemoryError"),
    "hog": Verdict("OUT_OF_MEMORY", "MemoryError"),
    "gorge": Verdict("OUT_OF_MEMORY", "SIGKILL"),
    "bomb": REFUSED,
    "call": REFUSED,
    "spy": REFUSED,
    "trespass": REFUSED,
    "murder": REFUSED,
    "fill": Verdict("WORKER_CRASHED", "File too large"),
    "clutch": Verdict("WORKER_CRASHED", "Too many open files"),
}
ENDS = (pb.UPLOAD_STATE_SUCCEEDED, pb.UPLOAD_STATE_FAILED)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServerProcess]:
    with dev_server(tmp_path_factory.mktemp("poison") / "data", environment=SETTINGS) as running:
        yield running


def end_of(client: Client, upload_id: str) -> pb.Upload:
    wait_until(lambda: client.get(upload_id).state in ENDS, 100, "its end")
    return client.get(upload_id)


def attempts_of(server: DevServerProcess, upload_id: str) -> list[AttemptRecord]:
    """With the evidence, which is for operators."""
    with redis.Redis.from_url(server.endpoints["redis"]) as ledger:
        records = ledger.hget(f"mf:u:{upload_id}", "attempts") or b""
    return msgspec.json.decode(b"[%s]" % records, type=list[AttemptRecord])


def test_poison_is_contained_and_others_go_on(server: DevServerProcess) -> None:
    workers = {name: pid for name, pid in server.pids.items() if name.startswith("worker")}
    family = {name: set(descendants(pid)) for name, pid in workers.items()}
    picture = io.BytesIO()
    scene(640, 480).save(picture, "JPEG")
    with (
        Client(server.gateway, token=server.token) as client,
        Client(server.gateway, token=server.endpoints["other_token"]) as other,
    ):
        bad = {deed: client.upload(f"POISON:{deed}\n".encode(), display_name=deed).upload_id for deed in CORPUS}
        # As pictures they meet the worker that makes pictures.
        bad |= {
            f"{deed}.jpg": client.upload(f"POISON:{deed}\n".encode(), display_name=f"{deed}.jpg").upload_id
            for deed in ("crash", "spin", "hog", "bomb")
        }
        for content, name in ((b"POISON:rest:1\n", "rest"), (picture.getvalue(), "a.jpg"), (b"words", "a.txt")):
            done = end_of(other, other.upload(content, display_name=name).upload_id)
            assert (done.state, done.attempt) == (pb.UPLOAD_STATE_SUCCEEDED, 1)
        for name, upload_id in bad.items():
            expected = CORPUS[name.removesuffix(".jpg")]
            done = end_of(client, upload_id)
            assert (done.state, done.failure.code, done.failure.stage) == (ENDS[1], expected.code, "process"), name
            assert (done.attempt, done.max_attempts, len(done.failure.attempts)) == (2, 2, 2), name
            assert done.progress.percent == 100 > done.progress.work_percent
            [process] = [timing for timing in done.stage_timings if timing.stage == "process"]
            assert process.peak_memory_bytes > 1 << 20
            for record in attempts_of(server, upload_id):
                assert (record.code, record.stage) == (expected.code, "process"), name
                assert expected.evidence in record.evidence, name
                assert "peak" in record.evidence, name
    assert {name: server.pids[name] for name in workers} == workers, "no worker was lost"
    assert {name: set(descendants(pid)) for name, pid in workers.items()} == family, "nor a sandbox, and no child stays"
    assert not Path("/tmp/trespassed").exists()
    wait_until(lambda: not list((server.data_dir / "scratch").glob("*/*/*")), message="scratch to be empty")
