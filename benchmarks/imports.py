"""Objects that lie in the bucket become uploads, eight at a time, against boto3 that copies the same objects there.

The storage is the dev server's R2 endpoint, which checks signatures and rules, in a process of its own. CPU is that of
gateway and Redis, and that of boto3. Each round makes new copies of the same sources.

Reference: boto3, as many threads, to the same storage: `make bench ARGS=imports`.
"""

from __future__ import annotations

import itertools
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import uvloop

from benchmarks.boto import s3_client
from benchmarks.pairs import Pair, measure_all
from benchmarks.servers import Bench, Server, s3_settings
from mediafleet import AsyncClient
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_devserver.redis_server import free_port

OBJECTS = 200
AT_ONCE = 8
CONTENT = bytes(100_000)


def storage(started: Bench) -> Server:
    """The endpoint, without R2's limit of one write a second to a key."""
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "mediafleet_devserver.r2", "--port", address.rpartition(":")[2]]
    return started.start(
        [*command, "--write-interval", "0"],
        address,
        {f"R2_{name}": value for name, value in s3_settings(Server(address, 0)).items()},
    )


class Copies:
    """boto3 as its users set it up for R2, which knows no CRC32: one client, eight threads."""

    def __init__(self, endpoint: Server) -> None:
        """Puts the sources into the bucket."""
        self._client = s3_client(endpoint, AT_ONCE, request_checksum_calculation="when_required")
        self._threads = ThreadPoolExecutor(AT_ONCE)
        self._rounds = itertools.count()
        self._etags = list(self._threads.map(self._put, range(OBJECTS)))

    def figures(self) -> tuple[float, float]:
        """Objects per second and milliseconds of CPU for one, on the condition of its ETag, as an import copies it."""
        number = next(self._rounds)
        start, before = time.perf_counter(), time.process_time()
        list(self._threads.map(lambda each: self._copy(number, each), range(OBJECTS)))
        return OBJECTS / (time.perf_counter() - start), (time.process_time() - before) / OBJECTS * 1e3

    def _put(self, each: int) -> str:
        return self._client.put_object(Bucket="bench", Key=_source(each), Body=CONTENT)["ETag"]

    def _copy(self, number: int, each: int) -> None:
        self._client.copy_object(
            Bucket="bench",
            Key=f"copies/{number}/{each}",
            CopySource={"Bucket": "bench", "Key": _source(each)},
            CopySourceIfMatch=self._etags[each],
            MetadataDirective="REPLACE",
            ContentType="application/octet-stream",
        )


def _source(each: int) -> str:
    return f"imports/local/{each}.bin"


class Imports:
    """`client.imports.take_many` through a gateway."""

    def __init__(self, gateway: Server, redis: Server) -> None:
        self._gateway, self._redis = gateway, redis
        self._rounds = itertools.count()

    def figures(self) -> tuple[float, float]:
        """As those of `Copies`; each object is QUEUED, in the ledger, when it counts."""
        return uvloop.run(self._take())

    async def _take(self) -> tuple[float, float]:
        caption = f"round {next(self._rounds)}"  # or else they are the same uploads again
        async with AsyncClient(self._gateway.address) as client:
            sources = [found async for found in client.imports.list()]
            start, before = time.perf_counter(), self._cpu()
            taken = [each.upload async for each in client.imports.take_many(sources, at_once=AT_ONCE, caption=caption)]
            spent, cpu = time.perf_counter() - start, self._cpu() - before
        assert len(taken) == OBJECTS
        assert all(upload is not None and upload.state == pb.UPLOAD_STATE_QUEUED for upload in taken)
        return OBJECTS / spent, cpu / OBJECTS * 1e3

    def _cpu(self) -> float:
        return self._gateway.cpu() + self._redis.cpu()


def run(started: Bench, rounds: int) -> list[Pair]:
    """Objects per second and CPU for one: imported, and copied by boto3 alone."""
    endpoint = storage(started)
    gateway, copies = started.gateway(endpoint), Copies(endpoint)
    return measure_all(
        f"{OBJECTS} objects of 100 kB, {AT_ONCE} at a time",
        ("objects/s", "ms of CPU an object"),
        ("ImportUpload", Imports(gateway, started.redis).figures),
        (f"boto3.copy_object to the same storage, {AT_ONCE} threads", copies.figures),
        rounds=rounds,
    )
