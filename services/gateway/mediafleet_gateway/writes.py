"""Taking bytes: the methods of UploadService that create and write uploads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceServicer
from mediafleet_core.errors import MediafleetError, Reason, invalid_field
from mediafleet_core.identity import TenantId
from mediafleet_core.intake import Intake, Writer
from mediafleet_core.parts import SMALLEST_PART
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import Upload
from mediafleet_gateway import metrics, requests
from mediafleet_gateway.admission import Admission
from mediafleet_gateway.auth import caller
from mediafleet_gateway.chunks import Chunks
from mediafleet_gateway.convert import timestamp, upload_to_proto
from mediafleet_gateway.draining import Drain
from mediafleet_gateway.frames import Frame
from mediafleet_gateway.interceptors.around import Context

_KEPT = frozenset(
    {
        Reason.DRAINING,
        Reason.FIELD_INVALID,
        Reason.CHUNK_CHECKSUM_MISMATCH,
        Reason.CHUNK_TOO_LARGE,
        Reason.OVERLAP_MISMATCH,
        Reason.WRITE_OFFSET_AHEAD,
        Reason.OBJECT_SIZE_MISMATCH,
        Reason.OBJECT_TOO_LARGE,
        Reason.WRITE_AFTER_FINISH,
    }
)
"""Errors that say nothing against the bytes received before them: these stay, and the caller can go on."""


class Writes(UploadServiceServicer):
    """CreateUpload, WriteUpload, UploadFile and QueryWriteStatus."""

    def __init__(
        self, intake: Intake, limits_of: Callable[[TenantId], Limits], admission: Admission, drain: Drain
    ) -> None:
        """`limits_of` knows the limits of each tenant; streams end when `drain` begins."""
        self._intake = intake
        self._limits_of = limits_of
        self._admission = admission
        self._drain = drain

    async def CreateUpload(self, request: pb.CreateUploadRequest, context: Context) -> pb.CreateUploadResponse:
        """An upload that is open for bytes."""
        tenant = caller().tenant
        upload = await self._intake.create(
            tenant,
            requests.spec_from_proto(request.spec),
            limits=self._limits_of(tenant),
            request_id=requests.request_id(request.request_id),
            validate_only=request.validate_only,
        )
        return pb.CreateUploadResponse(upload=upload_to_proto(upload))

    async def UploadFile(self, request: pb.UploadFileRequest, context: Context) -> pb.UploadFileResponse:
        """A whole small file."""
        tenant = caller().tenant
        content = request.content  # each look at a bytes field copies it
        metrics.INGEST.inc(len(content))
        with self._admission.upload(tenant, len(content)):
            upload = await self._intake.upload_file(
                tenant,
                requests.spec_from_proto(request.spec),
                content,
                limits=self._limits_of(tenant),
                checksums=requests.checksums_from_proto(request.checksums),
                request_id=requests.request_id(request.request_id),
            )
        metrics.UPLOAD_SIZE.observe(len(content))
        return pb.UploadFileResponse(upload=upload_to_proto(upload))

    async def QueryWriteStatus(
        self, request: pb.QueryWriteStatusRequest, context: Context
    ) -> pb.QueryWriteStatusResponse:
        """Durable bytes only."""
        committed_size, upload, expire_time = await self._intake.status(
            requests.upload_id(request.upload_id), caller().tenant
        )
        return pb.QueryWriteStatusResponse(
            committed_size=committed_size, upload=upload_to_proto(upload), expire_time=timestamp(expire_time)
        )

    async def WriteUpload(  # type: ignore[override]
        self, messages: AsyncIterator[Frame], context: Context
    ) -> pb.WriteUploadResponse:
        """Take a stream of chunks, read by `frames.parse`. Its end says nothing; only `finish_write` finishes the file.

        gRPC ends the iterator in the same way when the client half-closes, cancels, goes away or runs out of time.
        """
        tenant = caller().tenant
        with self._admission.upload(tenant, SMALLEST_PART):
            upload = await self._write(tenant, Chunks(messages, self._drain))
        return pb.WriteUploadResponse(upload=upload_to_proto(upload), committed_size=upload.committed_size)

    async def _write(self, tenant: TenantId, chunks: Chunks) -> Upload:
        first = await chunks.next()
        if first is None:
            raise invalid_field("upload_id", "the first message must name the upload")
        upload_id = requests.upload_id(first.upload_id)
        if first.write_offset < 0:  # before the fence, which ends another's write
            raise invalid_field("write_offset", "must not be negative")
        writer = await self._intake.open(upload_id, tenant, first.write_offset, limits=self._limits_of(tenant))
        upload = await self._receive(writer, first, chunks)
        return upload or (await self._intake.status(upload_id, tenant)).upload

    async def _receive(self, writer: Writer, first: Frame, chunks: Chunks) -> Upload | None:
        """The finished upload, or None when the stream ended without `finish_write`."""
        try:
            try:
                return await _write_all(writer, first, chunks)
            except MediafleetError as error:
                if error.reason in _KEPT:
                    await writer.suspend()
                raise
        except BaseException:
            await writer.abandon()
            raise


async def _write_all(writer: Writer, first: Frame, chunks: Chunks) -> Upload | None:
    message: Frame | None = first
    while message is not None:
        if message.upload_id not in ("", first.upload_id):
            raise invalid_field("upload_id", "must not change within a stream")
        metrics.INGEST.inc(len(message.content))
        await writer.write(message.write_offset, message.content, message.crc32c)
        if message.finish_write:
            return await _finish(writer, message, chunks)
        message = await chunks.next()
    await writer.suspend()
    return None


async def _finish(writer: Writer, last: Frame, chunks: Chunks) -> Upload:
    checksums = requests.checksums_from_proto(last.checksums)
    if await chunks.more():
        raise MediafleetError(Reason.WRITE_AFTER_FINISH, "nothing may follow the message with finish_write")
    # An empty last message at offset 0 comes from a client that left the offset out.
    end = last.write_offset + len(last.content)
    upload = await writer.finish(checksums, size=end or None)
    metrics.UPLOAD_SIZE.observe(upload.committed_size)
    return upload
