"""Uploads in every phase in which a cancel may find them, on a dev server, and what a cancel must not leave behind."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType

import boto3
import grpc
import redis

from mediafleet import Client
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceStub
from mediafleet_core.media_types import MediaKind
from mediafleet_devserver.r2.faults import Fault, FaultKind
from mediafleet_devserver.r2.operations import Operation
from tests.e2e.dev_server import DevServerProcess, dev_server
from tests.pictures import scene
from tests.processes import alive, descendants
from tests.waiting import wait_until

MIB = 1 << 20
_ENVIRONMENT = {
    "PYTHONPATH": str(Path(__file__).parents[1]),
    "MEDIAFLEET_WORKER_PLUGINS": "tests.poison",
    "MEDIAFLEET_PART_BYTES": str(5 * MIB),
    "MEDIAFLEET_RETRY_FIRST": "PT60S",
    "MEDIAFLEET_SWEEP_AGAIN_AFTER": "PT3S",
}
_STALL = 2.0
"""Seconds of a slow answer of the storage: much longer than a cancel may take."""


class Place:
    """A dev server on an S3 endpoint, and looks behind it."""

    def __init__(self, server: DevServerProcess, stack: ExitStack) -> None:
        """Idle."""
        self.server = server
        self.client = stack.enter_context(Client(server.gateway, token=server.token))
        self.admin = stack.enter_context(Client(server.gateway, token=server.endpoints["admin_token"]))
        self.ledger = stack.enter_context(redis.Redis.from_url(server.endpoints["redis"]))
        self._workers = [pid for name, pid in server.pids.items() if name.startswith("worker")]
        self._idle = self._descendants()
        self._s3 = boto3.client(
            "s3",
            endpoint_url=server.endpoints["storage"],
            region_name="auto",
            aws_access_key_id="mediafleet-dev",
            aws_secret_access_key=(server.data_dir / "keys" / "storage").read_text(),
        )

    def children(self) -> set[int]:
        """Running children of jobs."""
        return {pid for pid in self._descendants() - self._idle if alive(pid)}

    def left(self, upload_id: str) -> list[str]:
        """What of a cancelled upload is still there, or not right yet, in words; nothing in the end."""
        upload = self.client.get(upload_id)
        if upload.state != pb.UPLOAD_STATE_CANCELLED:
            return [pb.UploadState.Name(upload.state)]
        found = [f"child {pid}" for pid in self.children()]
        found += [f"scratch {path}" for path in (self.server.data_dir / "scratch").glob("*/*/*")]
        found += [f"multipart {key}" for key in self.multiparts(upload_id)]
        found += [f"queue {key}" for key in self._queues(upload_id)]
        # Not by GetUsage, which looks after the storage, too.
        if reserved := int(self.ledger.hget("mf:usage:demo", "reserved") or 0):
            found.append(f"{reserved} bytes reserved")
        return found

    def multiparts(self, upload_id: str) -> list[str]:
        """Keys of its unfinished multiparts."""
        page = self._s3.list_multipart_uploads(Bucket="mediafleet-dev", Prefix=f"uploads/demo/{upload_id}/")
        return [found["Key"] for found in page.get("Uploads", ())]

    def objects(self, upload_id: str) -> list[str]:
        """Its keys, below its prefix."""
        prefix = f"uploads/demo/{upload_id}/"
        page = self._s3.list_objects_v2(Bucket="mediafleet-dev", Prefix=prefix)
        return [found["Key"].removeprefix(prefix) for found in page.get("Contents", ())]

    def is_in(self, upload_id: str, *states: pb.UploadState.ValueType, stage: str = "") -> bool:
        """Whether it is in one of these states, and in this stage if one is named."""
        upload = self.client.get(upload_id)
        return upload.state in states and stage in ("", upload.progress.stage)

    @contextmanager
    def slow(self, operation: Operation) -> Iterator[None]:
        """Every such request to the storage is answered late."""
        self.server.plan_faults(Fault(kind=FaultKind.STALL, seconds=_STALL, operations=frozenset({operation})))
        try:
            yield
        finally:
            self.server.plan_faults()

    @contextmanager
    def paused(self, queue: str) -> Iterator[None]:
        """Nothing of the queue is handed out."""
        self.admin.pause_queue(queue)
        try:
            yield
        finally:
            self.admin.resume_queue(queue)

    def _descendants(self) -> set[int]:
        return {pid for worker in self._workers for pid in descendants(worker)}

    def _queues(self, upload_id: str) -> list[str]:
        keys = [f"mf:{queue}:{kind}" for queue in ("waiting", "delayed", "running") for kind in MediaKind]
        return [key for key in keys if self.ledger.zscore(key, upload_id) is not None]


@contextmanager
def place(data_dir: Path) -> Iterator[Place]:
    """Ready inside the context."""
    with dev_server(data_dir, "--storage", "s3", environment=_ENVIRONMENT) as server, ExitStack() as stack:
        yield Place(server, stack)


@contextmanager
def _receiving(place: Place, number: int) -> Iterator[str]:
    over = threading.Event()
    with grpc.insecure_channel(place.server.gateway) as channel:
        stub, told = UploadServiceStub(channel), (("authorization", f"Bearer {place.server.token}"),)
        spec = pb.UploadSpec(display_name=f"film-{number}.bin", size_bytes=64 * MIB)
        upload_id = stub.CreateUpload(pb.CreateUploadRequest(spec=spec), metadata=told).upload.upload_id

        def half() -> Iterator[pb.WriteUploadRequest]:
            for offset in range(0, 6 * MIB, MIB):
                first = "" if offset else upload_id
                yield pb.WriteUploadRequest(upload_id=first, write_offset=offset, content=bytes(MIB))
            over.wait()

        stream = stub.WriteUpload.future(half(), metadata=told)
        wait_until(lambda: place.client.get(upload_id).committed_size > 0, message="a part to be durable")
        assert place.multiparts(upload_id)
        try:
            yield upload_id
        finally:
            over.set()
            stream.exception(60)


@contextmanager
def _queued(place: Place, number: int) -> Iterator[str]:
    with place.paused("document"):
        yield place.client.upload(b"%%PDF %d" % number, display_name=f"{number}.pdf").upload_id


@contextmanager
def _retrying(place: Place, number: int) -> Iterator[str]:
    upload_id = _poison(place, "wonder", number)
    wait_until(lambda: place.client.get(upload_id).HasField("next_attempt_time"), message="a retry to be due later")
    yield upload_id


@contextmanager
def _fetching(place: Place, number: int) -> Iterator[str]:
    with place.slow(Operation.GET_OBJECT):
        upload_id = _poison(place, "none", number)
        wait_until(lambda: place.is_in(upload_id, pb.UPLOAD_STATE_PROCESSING, stage="fetch"), message="the fetch")
        yield upload_id


@contextmanager
def _working(place: Place, number: int, *, deed: str) -> Iterator[str]:
    upload_id = _poison(place, deed, number)
    wait_until(lambda: place.is_in(upload_id, pb.UPLOAD_STATE_PROCESSING, stage="process"), message="the child to run")
    wait_until(place.children, message="the child")
    yield upload_id


@contextmanager
def _storing(place: Place, number: int) -> Iterator[str]:
    picture = io.BytesIO()
    scene(320 + number, 240).save(picture, "JPEG")
    with ExitStack() as stack:
        with place.paused("image"):
            upload_id = place.client.upload(picture.getvalue(), display_name=f"{number}.jpg").upload_id
            stack.enter_context(place.slow(Operation.PUT_OBJECT))
        wait_until(lambda: place.is_in(upload_id, pb.UPLOAD_STATE_PROCESSING, stage="store"), message="a put")
        yield upload_id


def _poison(place: Place, deed: str, number: int) -> str:
    return place.client.upload(f"POISON:{deed}\n{number}".encode(), display_name="job.bin").upload_id


Phase = Callable[[Place, int], AbstractContextManager[str]]

PHASES: Mapping[str, Phase] = MappingProxyType(
    {
        "receiving": _receiving,
        "queued": _queued,
        "waiting for a retry": _retrying,
        "fetching": _fetching,
        "native decode": partial(_working, deed="decoding"),
        "native encode": partial(_working, deed="encoding"),
        "a C loop that holds the interpreter": partial(_working, deed="hold"),
        "storing a rendition": _storing,
    }
)
"""Each brings upload number so and so into the phase and yields its id; the phase lasts if nobody cancels."""
