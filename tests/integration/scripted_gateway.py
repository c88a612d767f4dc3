"""A peer of the SDK on a real socket that answers by script: it refuses, breaks off, lags and repeats on demand."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from mediafleet.progress import SENDING_PERCENT
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceServicer, add_UploadServiceServicer_to_server
from mediafleet.v1.usage_pb2 import GetUsageRequest, GetUsageResponse
from mediafleet.v1.usage_pb2_grpc import UsageServiceServicer, add_UsageServiceServicer_to_server
from mediafleet.watching import RESUMED
from tests.gate import pump

S = pb.UploadState


@dataclass(frozen=True)
class Refusal:
    """A way to end a call; `after` is the number of messages of a WriteUpload that are taken before it."""

    code: grpc.StatusCode
    reason: str = ""
    after: int = 0
    retry_after: float | None = None

    async def end(self, context: Any) -> None:
        status = Status(code=self.code.value[0], message="refused by script")
        if self.reason:
            status.details.add().Pack(ErrorInfo(reason=self.reason, domain="mediafleet"))
        if self.retry_after is not None:
            delay = Duration()
            delay.FromNanoseconds(int(self.retry_after * 1e9))
            status.details.add().Pack(RetryInfo(retry_delay=delay))
        await context.abort_with_status(rpc_status.to_status(status))


STANDS = pb.UploadEvent()
"""In a stream: its headers are sent, and say that it goes on behind the cursor."""


@dataclass
class ScriptedGateway(UploadServiceServicer, UsageServiceServicer):
    """Keeps uploads in memory; `refusals` are used up first, by method, `streams` are the answers of watches."""

    refusals: dict[str, deque[Refusal]] = field(default_factory=lambda: defaultdict(deque))
    streams: deque[list[pb.UploadEvent | Refusal]] = field(default_factory=deque)
    calls: list[tuple[str, float, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    uploads: dict[str, pb.Upload] = field(default_factory=dict)
    content: dict[str, bytearray] = field(default_factory=dict)
    taken: asyncio.Event = field(default_factory=asyncio.Event)

    def called(self, method: str) -> list[Any]:
        return [request for name, _, request in self.calls if name == method]

    def times(self, method: str) -> list[float]:
        return [at for name, at, _ in self.calls if name == method]

    async def _begin(self, method: str, request: Any, context: Any) -> None:
        self.calls.append((method, time.monotonic(), request))
        self.tokens.update(str(value) for key, value in context.invocation_metadata() if key == "authorization")
        if self.refusals[method]:
            await self.refusals[method].popleft().end(context)

    def keep(self, upload_id: str, name: str = "x") -> pb.Upload:
        """An upload that is there already."""
        return self._create(pb.UploadSpec(display_name=name, size_bytes=10), upload_id)

    def _create(self, spec: pb.UploadSpec, request_id: str) -> pb.Upload:
        if request_id not in self.uploads:
            upload = pb.Upload(
                upload_id=request_id,
                display_name=spec.display_name,
                collection=spec.collection,
                labels=spec.labels,
                size_bytes=spec.size_bytes,
                state=S.UPLOAD_STATE_RECEIVING,
            )
            upload.progress.stage, upload.progress.series = "receiving", 1
            self.uploads[request_id], self.content[request_id] = upload, bytearray()
        return self.uploads[request_id]

    def _finish(self, upload: pb.Upload, checksums: pb.Checksums) -> None:
        assert checksums.sha256 == hashlib.sha256(self.content[upload.upload_id]).digest()
        upload.checksums.CopyFrom(checksums)
        upload.size_bytes = len(self.content[upload.upload_id])
        upload.committed_size = upload.size_bytes
        upload.state = S.UPLOAD_STATE_QUEUED
        upload.progress.percent = SENDING_PERCENT

    async def CreateUpload(self, request: pb.CreateUploadRequest, context: Any) -> pb.CreateUploadResponse:
        await self._begin("CreateUpload", request, context)
        return pb.CreateUploadResponse(upload=self._create(request.spec, request.request_id))

    async def UploadFile(self, request: pb.UploadFileRequest, context: Any) -> pb.UploadFileResponse:
        await self._begin("UploadFile", request, context)
        upload = self._create(request.spec, request.request_id)
        self.content[upload.upload_id][:] = request.content
        upload.size_bytes = len(request.content)
        self._finish(upload, request.checksums)
        return pb.UploadFileResponse(upload=upload)

    async def WriteUpload(self, request_iterator: Any, context: Any) -> pb.WriteUploadResponse:
        """Every message is durable at once; a refusal due ends the stream after so many."""
        refusal = self.refusals["WriteUpload"].popleft() if self.refusals["WriteUpload"] else None
        count, upload = 0, pb.Upload()
        async for message in request_iterator:
            if message.upload_id:
                upload = self.uploads[message.upload_id]
                self.calls.append(("WriteUpload", time.monotonic(), message.write_offset))
                if upload.state != S.UPLOAD_STATE_RECEIVING:
                    break
            if refusal and count == refusal.after:
                await refusal.end(context)
            count += 1
            stored = self.content[upload.upload_id]
            assert message.write_offset == len(stored)
            stored += message.content
            upload.committed_size = len(stored)
            if message.finish_write:
                self._finish(upload, message.checksums)
            self.taken.set()
        if refusal and count == refusal.after:
            await refusal.end(context)
        return pb.WriteUploadResponse(upload=upload, committed_size=upload.committed_size)

    async def QueryWriteStatus(self, request: pb.QueryWriteStatusRequest, context: Any) -> pb.QueryWriteStatusResponse:
        await self._begin("QueryWriteStatus", request, context)
        upload = self.uploads[request.upload_id]
        return pb.QueryWriteStatusResponse(committed_size=upload.committed_size, upload=upload)

    async def GetUpload(self, request: pb.GetUploadRequest, context: Any) -> pb.GetUploadResponse:
        await self._begin("GetUpload", request, context)
        if request.upload_id not in self.uploads:
            await Refusal(grpc.StatusCode.NOT_FOUND, "UPLOAD_NOT_FOUND").end(context)
        return pb.GetUploadResponse(upload=self.uploads[request.upload_id])

    async def RetryUpload(self, request: pb.RetryUploadRequest, context: Any) -> pb.RetryUploadResponse:
        await self._begin("RetryUpload", request, context)
        return pb.RetryUploadResponse(upload=self.uploads[request.upload_id])

    async def ListUploads(self, request: pb.ListUploadsRequest, context: Any) -> pb.ListUploadsResponse:
        """One upload a page."""
        await self._begin("ListUploads", request, context)
        index, found = int(request.page_token or 0), list(self.uploads.values())
        token = str(index + 1) if index + 1 < len(found) else ""
        return pb.ListUploadsResponse(uploads=found[index : index + 1], next_page_token=token)

    async def GetUsage(self, request: GetUsageRequest, context: Any) -> GetUsageResponse:
        await self._begin("GetUsage", request, context)
        answer = GetUsageResponse()
        answer.usage.bytes, answer.usage.objects = 1_234_567, 3
        return answer

    async def WatchUpload(self, request: pb.WatchUploadRequest, context: Any) -> AsyncIterator[pb.UploadEvent]:
        await self._begin("WatchUpload", request.after_cursor, context)
        for event in self.streams.popleft() if self.streams else self._story(request.upload_id):
            if isinstance(event, Refusal):
                await event.end(context)
            elif event == STANDS:
                await context.send_initial_metadata((RESUMED,))
            else:
                yield event

    async def WatchUploads(self, request: pb.WatchUploadsRequest, context: Any) -> AsyncIterator[pb.UploadEvent]:
        async for event in self.WatchUpload(pb.WatchUploadRequest(after_cursor=request.after_cursor), context):
            yield event

    def _story(self, upload_id: str) -> list[pb.UploadEvent | Refusal]:
        """Every upload is processed in no time; those called bad.* fail."""
        upload = self.uploads[upload_id]
        story: list[pb.UploadEvent | Refusal] = [pb.UploadEvent(upload_id=upload_id, cursor="1", snapshot=upload)]
        for percent in (40, 60):
            moved = pb.Progress(series=1, percent=percent, stage="process", step="decode")
            story.append(pb.UploadEvent(upload_id=upload_id, progress=moved))
        end = pb.Upload()
        end.CopyFrom(upload)
        end.state, end.progress.percent = S.UPLOAD_STATE_SUCCEEDED, 100
        if upload.display_name.startswith("bad"):
            end.state = S.UPLOAD_STATE_FAILED
            end.failure.code, end.failure.message = "CORRUPT_MEDIA", "The file is damaged."
            end.failure.next_step = "Export it again."
        self.uploads[upload_id] = end
        change = pb.StateChange(state=end.state, upload=end)
        return [*story, pb.UploadEvent(upload_id=upload_id, cursor="2", state_changed=change)]


@asynccontextmanager
async def serving(gateway: ScriptedGateway) -> AsyncIterator[str]:
    """The address of the peer."""
    server = grpc.aio.server(
        options=[("grpc.so_reuseport", 0), ("grpc.http2.min_recv_ping_interval_without_data_ms", 1)]
    )
    add_UploadServiceServicer_to_server(gateway, server)
    add_UsageServiceServicer_to_server(gateway, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


class Relay:
    """A wire between client and peer that can be cut."""

    def __init__(self) -> None:
        self._writers: set[asyncio.StreamWriter] = set()
        self.connections = 0

    def cut(self) -> None:
        """Ends every connection at once, as a lost network does."""
        for writer in self._writers:
            writer.transport.abort()

    @asynccontextmanager
    async def to(self, address: str) -> AsyncIterator[str]:
        """The address of the wire's near end."""
        host, _, port = address.partition(":")

        async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
            self._writers |= {writer, far_writer}
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

        server = await asyncio.start_server(connect, "127.0.0.1", 0)
        try:
            yield "{}:{}".format(*server.sockets[0].getsockname())
        finally:
            server.close()
            self.cut()
