"""The peer: `@tus/server` with `@tus/s3-store` from npm, on the same storage that discards, in the same run."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvloop

from benchmarks import small_files
from benchmarks.ingest import CHUNK, SIZE, UNITS, through, upload
from benchmarks.pairs import Pair, measure, measure_all
from benchmarks.servers import Bench, Server
from mediafleet_devserver.redis_server import free_port

_OURS = Path(__file__).parent / "tus"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mediafleet-bench" / "tus"
_TYPE = "application/offset+octet-stream"


def start(bench: Bench, sink: Server) -> Server | None:
    """The peer, installed once into the user's cache; None where there is no npm."""
    if not shutil.which("npm") or not shutil.which("node"):
        return None
    _CACHE.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "server.js"):
        shutil.copy(_OURS / name, _CACHE / name)
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=_CACHE, check=True)
    port = free_port()
    return bench.start(["node", "server.js", str(port), f"http://{sink.address}"], f"127.0.0.1:{port}", cwd=_CACHE)


def _stream() -> Iterator[bytes]:
    for _ in range(SIZE // len(CHUNK)):
        yield CHUNK


def _upload(address: str) -> float:
    connection = http.client.HTTPConnection(address)
    start = time.perf_counter()
    connection.request("POST", "/files", headers={"Tus-Resumable": "1.0.0", "Upload-Length": str(SIZE)})
    place = _answer(connection, 201)["Location"].partition(address)[2]
    about = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": _TYPE, "Content-Length": str(SIZE)}
    connection.request("PATCH", place, body=_stream(), headers=about)
    assert int(_answer(connection, 204)["Upload-Offset"]) == SIZE
    connection.close()
    return time.perf_counter() - start


def _answer(connection: http.client.HTTPConnection, status: int) -> http.client.HTTPMessage:
    answer = connection.getresponse()
    said = answer.read()
    assert answer.status == status, (answer.status, said)
    return answer.headers


def _small_files(address: str) -> float:
    def some(_: int) -> None:
        connection = http.client.HTTPConnection(address)
        about = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(small_files.CONTENT)), "Content-Type": _TYPE}
        for _ in range(files // small_files.AT_ONCE):
            connection.request("POST", "/files", body=small_files.CONTENT, headers=about)
            _answer(connection, 201)
        connection.close()

    files = small_files.FILES // 6
    start = time.perf_counter()
    with ThreadPoolExecutor(small_files.AT_ONCE) as threads:
        list(threads.map(some, range(small_files.AT_ONCE)))
    return files / (time.perf_counter() - start)


def run(gateway: Server, tus: Server, rounds: int) -> list[Pair]:
    """One large upload, and small files eight at a time (tus: each in one POST)."""
    peer = "@tus/server with @tus/s3-store"
    return [
        *measure_all(
            "One upload, 1 MiB chunks, S3 that discards",
            UNITS,
            ("gateway", lambda: through(gateway, lambda: uvloop.run(upload(gateway.address)))),
            (peer, lambda: through(tus, lambda: _upload(tus.address))),
            rounds=rounds,
        ),
        measure(
            "200 KB files, 8 at a time",
            "files/s",
            ("UploadFile", lambda: small_files.through_gateway(gateway)),
            (peer, lambda: _small_files(tus.address)),
            rounds=rounds,
        ),
    ]
