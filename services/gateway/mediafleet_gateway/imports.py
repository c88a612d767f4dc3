"""Imports: the methods of UploadService that make uploads of objects in the bucket."""

from __future__ import annotations

from collections.abc import Callable

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceServicer
from mediafleet_core.identity import TenantId
from mediafleet_core.intake import Importable, Imports
from mediafleet_core.media_types import declared_type
from mediafleet_core.object_keys import imports
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import State
from mediafleet_gateway import metrics, paging, requests
from mediafleet_gateway.auth import caller
from mediafleet_gateway.convert import timestamp, upload_to_proto
from mediafleet_gateway.interceptors.around import Context
from mediafleet_gateway.validation import MAX_PATH, Fields

_LONGEST_ETAG = 256
_LONGEST_KEY = 1024


class ImportMethods(UploadServiceServicer):
    """ListImportables and ImportUpload."""

    def __init__(self, imports: Imports, limits_of: Callable[[TenantId], Limits]) -> None:
        """`limits_of` knows the limits of each tenant."""
        self._imports = imports
        self._limits_of = limits_of

    async def ListImportables(self, request: pb.ListImportablesRequest, context: Context) -> pb.ListImportablesResponse:
        """One page."""
        fields = Fields()
        fields.line("prefix", request.prefix, MAX_PATH)
        fields.check()
        tenant, size = caller().tenant, paging.page_size(request.page_size)
        page = await self._imports.list(tenant, request.prefix, limit=size, after=paging.decode(tenant, request))
        return pb.ListImportablesResponse(
            importables=map(_importable, page.objects),
            next_page_token=paging.encode(tenant, request, page.next_after),
        )

    async def ImportUpload(self, request: pb.ImportUploadRequest, context: Context) -> pb.ImportUploadResponse:
        """The upload, which the storage copies."""
        key, tenant = request.source_key, caller().tenant
        fields = Fields()
        fields.line("source_key", key, MAX_PATH)
        fields.require(len((imports(tenant) + key).encode()) <= _LONGEST_KEY, "source_key", "is too long to be a key")
        # Of these two, HTTP clients and servers make other keys.
        fields.require(
            bool(key) and not {".", ".."} & set(key.split("/")), "source_key", "must be a key without . and .. in it"
        )
        fields.require(bool(request.source_etag), "source_etag", "must be the object's")
        fields.line("source_etag", request.source_etag, _LONGEST_ETAG)
        fields.require(not request.spec.HasField("size_bytes"), "spec.size_bytes", "must be left out")
        fields.require(not request.spec.transfer, "spec.transfer", "must be left out")
        fields.check()
        named = pb.UploadSpec(display_name=key.rpartition("/")[2], path=key)
        named.MergeFrom(request.spec)
        upload = await self._imports.take(
            tenant,
            requests.spec_from_proto(named),
            key,
            request.source_etag.strip('"'),
            limits=self._limits_of(tenant),
            request_id=requests.request_id(request.request_id),
        )
        if upload.state is not State.RECEIVING:
            metrics.UPLOAD_SIZE.observe(upload.committed_size)
        return pb.ImportUploadResponse(upload=upload_to_proto(upload))


def _importable(found: Importable) -> pb.Importable:
    return pb.Importable(
        key=found.key,
        size_bytes=found.size,
        etag=found.etag,
        content_type=declared_type("", found.key),
        update_time=timestamp(found.modified),
    )
