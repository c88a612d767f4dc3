"""Direct uploads in tests: a gateway before the strict R2 endpoint, and parts sent to it by plain HTTP."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import urllib3
from pydantic import SecretStr

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core.intake.crc32c import checksum
from mediafleet_core.storage import Backend, StorageSettings
from mediafleet_devserver.r2 import R2Endpoint, R2Settings, serving
from mediafleet_devserver.r2.contents import STATE, backend
from mediafleet_devserver.r2.faults import Fault
from mediafleet_devserver.r2.operations import Operation
from mediafleet_devserver.r2.request import S3Request
from mediafleet_gateway.bootstrap import Settings
from tests.gateways import ANN, Metadata, Reached, settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PART = 5 << 20
"""Bytes of a part here: the least that R2 takes."""


class Bucket(R2Endpoint):
    """A bucket of its own on a strict endpoint, which counts the requests it gets by operation, and notes the parts."""

    def __init__(self) -> None:
        self.name = f"direct-{uuid.uuid4().hex[:12]}"
        self.asked: Counter[str] = Counter()
        self.parts: list[int] = []
        self.url = ""
        known = R2Settings(r2_bucket_name=self.name, r2_access_key_id="id", r2_secret_access_key=SecretStr("secret"))
        super().__init__(known, write_interval=timedelta(0))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """See WSGI."""
        request = S3Request.read(environ)
        with STATE:  # requests come in threads
            self.asked[str(request.operation)] += 1
            if request.operation is Operation.UPLOAD_PART:
                self.parts.append(int(request.parameters["partNumber"]))
        return super().__call__(environ, start_response)

    def clear(self) -> None:
        """No object and no multipart any more, and nothing was asked."""
        with STATE:
            self.asked.clear()
            held = backend().buckets[self.name]
            held.keys.clear()
            held.multiparts.clear()

    def plan(self, *faults: Fault) -> None:
        """From now on these troubles and no others."""
        self.faults.plan(faults)

    @property
    def storage(self) -> StorageSettings:
        """As a process would read them."""
        return StorageSettings(
            storage=Backend.R2,
            r2_endpoint_url=self.url,
            r2_bucket_name=self.name,
            r2_access_key_id="id",
            r2_secret_access_key=SecretStr("secret"),
        )


@contextmanager
def bucket() -> Iterator[Bucket]:
    """A bucket that can be reached."""
    made = Bucket()
    with serving(made) as made.url:
        yield made


def direct_settings(redis_url: str, folder: Path, storage: StorageSettings) -> Settings:
    """A gateway that signs parts of 5 MiB."""
    return settings(redis_url, folder, intake={"direct_part_bytes": PART})._replace(storage=storage)


class Answer(NamedTuple):
    """What the storage said: its status, its ETag and its error code."""

    status: int
    etag: str
    code: str


def parts_of(content: bytes) -> list[pb.UploadPart]:
    """All parts of a file."""
    pieces = [content[start : start + PART] for start in range(0, len(content), PART)]
    return [
        pb.UploadPart(number=number, size=len(piece), crc32c=checksum(piece)) for number, piece in enumerate(pieces, 1)
    ]


def piece(content: bytes, number: int) -> bytes:
    """The bytes of a part."""
    return content[(number - 1) * PART : number * PART]


async def sign(
    reached: Reached, upload: pb.Upload, parts: Sequence[pb.UploadPart] = (), metadata: Metadata = ANN, **more: Any
) -> pb.SignUploadPartsResponse:
    """What SignUploadParts answers."""
    request = pb.SignUploadPartsRequest(upload_id=upload.upload_id, parts=parts, **more)
    return await reached.uploads.SignUploadParts(request, metadata=metadata)


async def put(signed: pb.SignedUploadPart, content: bytes, **headers: str) -> Answer:
    """One PUT with the headers that were signed; `headers` replace those of their names."""
    sent = dict(signed.headers) | {name.replace("_", "-"): value for name, value in headers.items()}
    http = urllib3.PoolManager(retries=False, timeout=60)
    with http:
        answer = await asyncio.to_thread(http.request, "PUT", signed.url, body=content, headers=sent)
    code = answer.data.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()
    return Answer(answer.status, answer.headers.get("ETag", ""), code)


async def put_parts(
    reached: Reached, upload: pb.Upload, content: bytes, numbers: Iterable[int] = ()
) -> list[pb.CompletedUploadPart]:
    """Sign and send these parts, or all; what Complete needs of them."""
    chosen = set(numbers)
    parts = [part for part in parts_of(content) if not chosen or part.number in chosen]
    signed = await sign(reached, upload, parts)
    done = []
    for part, place in zip(parts, signed.parts, strict=True):
        answer = await put(place, piece(content, part.number))
        assert answer.status == 200, answer
        done.append(pb.CompletedUploadPart(number=part.number, etag=answer.etag, crc32c=part.crc32c))
    return done


async def complete(
    reached: Reached, upload: pb.Upload, parts: Iterable[pb.CompletedUploadPart], **checksums: Any
) -> pb.Upload:
    """The upload that CompleteDirectUpload answers."""
    request = pb.CompleteDirectUploadRequest(
        upload_id=upload.upload_id, parts=parts, checksums=pb.Checksums(**checksums)
    )
    return (await reached.uploads.CompleteDirectUpload(request, metadata=ANN)).upload
