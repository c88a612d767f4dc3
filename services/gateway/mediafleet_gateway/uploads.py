"""Reading, changing and ending uploads."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceServicer
from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.lifecycle import Lifecycle
from mediafleet_core.ports import Ledger, ObjectStore, StoredObject
from mediafleet_gateway import downloads, paging, requests
from mediafleet_gateway.auth import caller
from mediafleet_gateway.convert import timestamp, upload_to_proto
from mediafleet_gateway.interceptors.around import Context
from mediafleet_gateway.validation import MAX_REASON, Fields

_log = structlog.get_logger(__name__)

_CHANGEABLE = ("caption", "labels")
_URL_LIFETIME = timedelta(hours=1)
_STORAGE_PATIENCE = 5.0
"""Seconds that a caller waits for a word about one object."""

_LONGEST_URL_LIFETIME = timedelta(hours=24)


class Uploads(UploadServiceServicer):
    """The unary methods of UploadService that move no bytes."""

    def __init__(self, ledger: Ledger, store: ObjectStore, lifecycle: Lifecycle) -> None:
        """Reads ask the ledger, changes go through the lifecycle."""
        self._ledger = ledger
        self._store = store
        self._lifecycle = lifecycle

    async def GetUpload(self, request: pb.GetUploadRequest, context: Context) -> pb.GetUploadResponse:
        """The record."""
        upload = await self._ledger.get(requests.upload_id(request.upload_id), caller().tenant)
        return pb.GetUploadResponse(upload=upload_to_proto(upload))

    async def ListUploads(self, request: pb.ListUploadsRequest, context: Context) -> pb.ListUploadsResponse:
        """One page; shorter than asked for where it would be more than clients take in one message."""
        tenant = caller().tenant
        which = requests.filter_from_proto(request.filter)
        size = paging.page_size(request.page_size)
        oldest_first, after = paging.oldest_first(request.order_by), paging.decode(tenant, request)
        while True:
            page = await self._ledger.list(tenant, which, limit=size, after=after, oldest_first=oldest_first)
            response = pb.ListUploadsResponse(
                uploads=map(upload_to_proto, page.uploads),
                next_page_token=paging.encode(tenant, request, page.next_after),
                total_size=page.total,
            )
            if size == 1 or response.ByteSize() <= paging.LARGEST_BYTES:
                return response
            size = max(1, size // 2)

    async def UpdateUpload(self, request: pb.UpdateUploadRequest, context: Context) -> pb.UpdateUploadResponse:
        """Caption and labels, as the mask says."""
        upload_id = requests.upload_id(request.upload_id)
        fields = Fields()
        fields.caption("caption", request.caption)
        fields.labels("labels", request.labels)
        fields.require(
            set(request.update_mask.paths) <= set(_CHANGEABLE),
            "update_mask",
            f"must name only {' and '.join(_CHANGEABLE)}",
        )
        fields.check()
        paths = _mask(request)
        upload = await self._ledger.update(
            upload_id,
            caller().tenant,
            caption=request.caption if "caption" in paths else None,
            labels=dict(request.labels) if "labels" in paths else None,
        )
        return pb.UpdateUploadResponse(upload=upload_to_proto(upload))

    async def CancelUpload(self, request: pb.CancelUploadRequest, context: Context) -> pb.CancelUploadResponse:
        """Stops what is under way."""
        upload_id = requests.upload_id(request.upload_id)
        fields = Fields()
        fields.line("reason", request.reason, MAX_REASON)
        fields.check()
        upload = await self._lifecycle.cancel(upload_id, caller().tenant, request.reason)
        return pb.CancelUploadResponse(upload=upload_to_proto(upload))

    async def RetryUpload(self, request: pb.RetryUploadRequest, context: Context) -> pb.RetryUploadResponse:
        """A new series."""
        upload_id = requests.upload_id(request.upload_id)
        fields = Fields()
        fields.require(request.series >= 0, "series", "must not be negative")
        fields.check()
        upload = await self._lifecycle.retry(upload_id, caller().tenant, request.series or None)
        return pb.RetryUploadResponse(upload=upload_to_proto(upload))

    async def DeleteUpload(self, request: pb.DeleteUploadRequest, context: Context) -> pb.DeleteUploadResponse:
        """The record as it was."""
        upload = await self._lifecycle.delete(requests.upload_id(request.upload_id), caller().tenant)
        return pb.DeleteUploadResponse(upload=upload_to_proto(upload))

    async def CreateDownloadUrl(
        self, request: pb.CreateDownloadUrlRequest, context: Context
    ) -> pb.CreateDownloadUrlResponse:
        """A URL that works only if the object is there and whole."""
        upload_id = requests.upload_id(request.upload_id)
        lifetime = _URL_LIFETIME
        if request.HasField("expires_in"):
            fields = Fields()
            lifetime = fields.span("expires_in", request.expires_in, timedelta(seconds=1), _LONGEST_URL_LIFETIME)
            fields.check()
        upload = await self._ledger.get(upload_id, caller().tenant)
        wanted = downloads.choose(upload, request.rendition)
        stored = await self._head(wanted.key)
        if stored is None or stored.size != wanted.size:
            _log.error("stored_object_corrupt", upload_id=upload_id, key=wanted.key)
            raise MediafleetError(
                Reason.STORED_OBJECT_CORRUPT,
                "what is stored is not what was uploaded; upload the file again",
                metadata={"uploadId": upload_id},
            )
        expire_time = datetime.now(UTC) + lifetime
        url = await self._store.sign_url(
            wanted.key,
            lifetime,
            file_name=wanted.file_name,
            content_type=wanted.content_type,
            as_attachment=request.as_attachment or not wanted.shown,
        )
        return pb.CreateDownloadUrlResponse(url=url, expire_time=timestamp(expire_time))

    async def _head(self, key: str) -> StoredObject | None:
        try:
            async with asyncio.timeout(_STORAGE_PATIENCE):
                return await self._store.head(key)
        except TimeoutError:
            raise MediafleetError(
                Reason.STORAGE_UNAVAILABLE, "the storage does not answer; try again", retry_after=1.0
            ) from None


def _mask(request: pb.UpdateUploadRequest) -> frozenset[str]:
    given = frozenset(name for name in _CHANGEABLE if getattr(request, name))
    return frozenset(request.update_mask.paths) or given
