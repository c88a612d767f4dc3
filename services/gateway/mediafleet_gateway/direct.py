"""Direct uploads: the methods of UploadService by which the bytes pass the gateway by."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceServicer
from mediafleet_core.identity import TenantId
from mediafleet_core.intake import DirectUploads, NamedPart, PlannedPart
from mediafleet_core.parts import MAX_PART_NUMBER
from mediafleet_core.quotas import Limits
from mediafleet_gateway import metrics, requests
from mediafleet_gateway.auth import caller
from mediafleet_gateway.convert import timestamp, upload_to_proto
from mediafleet_gateway.interceptors.around import Context
from mediafleet_gateway.validation import Fields

_MOST_SIGNED = 1000
_LONGEST_ETAG = 256
_LIFETIME = timedelta(hours=1)
_LONGEST_LIFETIME = timedelta(hours=24)


class Direct(UploadServiceServicer):
    """SignUploadParts and CompleteDirectUpload."""

    def __init__(self, direct: DirectUploads, limits_of: Callable[[TenantId], Limits]) -> None:
        """`limits_of` knows the limits of each tenant."""
        self._direct = direct
        self._limits_of = limits_of

    async def SignUploadParts(self, request: pb.SignUploadPartsRequest, context: Context) -> pb.SignUploadPartsResponse:
        """URLs for parts, and which are durable already."""
        upload_id = requests.upload_id(request.upload_id)
        fields = Fields()
        fields.require(len(request.parts) <= _MOST_SIGNED, "parts", f"must have at most {_MOST_SIGNED} entries")
        for index, part in enumerate(request.parts):
            fields.require(part.HasField("crc32c"), f"parts[{index}].crc32c", "is needed: the URL is bound to it")
        lifetime = _LIFETIME
        if request.HasField("expires_in"):
            lifetime = fields.span("expires_in", request.expires_in, timedelta(seconds=1), _LONGEST_LIFETIME)
        fields.check()
        planned = [PlannedPart(part.number, part.size, part.crc32c) for part in request.parts]
        signed = await self._direct.sign(upload_id, caller().tenant, planned, lifetime)
        expire_time = timestamp(signed.expire_time)
        return pb.SignUploadPartsResponse(
            parts=[
                pb.SignedUploadPart(number=part.number, url=put.url, headers=put.headers, expire_time=expire_time)
                for part, put in zip(planned, signed.puts, strict=True)
            ],
            part_size=signed.part_size,
            durable_parts=[
                pb.DurablePart(number=part.number, size=part.size, etag=part.etag, crc32c=part.crc32c)
                for part in signed.durable
            ],
        )

    async def CompleteDirectUpload(
        self, request: pb.CompleteDirectUploadRequest, context: Context
    ) -> pb.CompleteDirectUploadResponse:
        """The finished upload."""
        upload_id, tenant = requests.upload_id(request.upload_id), caller().tenant
        checksums = requests.checksums_from_proto(request.checksums)
        fields = Fields()
        numbers = [part.number for part in request.parts]
        fields.require(len(numbers) <= MAX_PART_NUMBER, "parts", f"must have at most {MAX_PART_NUMBER} entries")
        fields.require(numbers == sorted(set(numbers)), "parts", "must have rising numbers")
        for index, part in enumerate(request.parts):
            fields.line(f"parts[{index}].etag", part.etag, _LONGEST_ETAG)
        fields.check()
        named = [
            NamedPart(part.number, part.etag.strip('"'), part.crc32c if part.HasField("crc32c") else None)
            for part in request.parts
        ]
        upload = await self._direct.complete(upload_id, tenant, named, checksums, limits=self._limits_of(tenant))
        metrics.UPLOAD_SIZE.observe(upload.committed_size)
        return pb.CompleteDirectUploadResponse(upload=upload_to_proto(upload))
